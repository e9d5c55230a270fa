/** Questions about the ranks of a group, as in MindSpore's `mindspore.communication`. */

import { checkInteger } from '../core/checks.js';
import type { ProcessGroup } from './process-group.js';
import { checkWorldRank, current, findGroup, type GroupLike } from './world.js';

/** This rank's place in `group`. @throws RangeError when it is not a member */
export function getRank(group?: GroupLike): number {
  return memberOf(findGroup(group, 'getRank'), 'getRank');
}

/** Number of ranks in `group`. */
export function getGroupSize(group?: GroupLike): number {
  return findGroup(group, 'getGroupSize').size;
}

/** This rank's place among the members of `group` on its host. */
export function getLocalRank(group?: GroupLike): number {
  const found = findGroup(group, 'getLocalRank');
  memberOf(found, 'getLocalRank');
  return hostMembers(found).indexOf(current('getLocalRank').world.rank);
}

/** Number of members of `group` on this rank's host. */
export function getLocalRankSize(group?: GroupLike): number {
  return hostMembers(findGroup(group, 'getLocalRankSize')).length;
}

/** World ranks of `group`; the index is the group rank. */
export function getProcessGroupRanks(group?: GroupLike): number[] {
  return [...findGroup(group, 'getProcessGroupRanks').ranks];
}

/** World rank of the member `groupRank` of `group`. @throws RangeError when there is none */
export function getWorldRankFromGroupRank(group: GroupLike, groupRank: number): number {
  const caller = 'getWorldRankFromGroupRank';
  const { name, ranks } = findGroup(group, caller);
  checkInteger(groupRank, Number.NEGATIVE_INFINITY, `${caller}: a rank`);
  if (groupRank < 0 || groupRank >= ranks.length) {
    throw new RangeError(
      `${caller}: group '${name}' has ranks 0 to ${ranks.length - 1}, not ${groupRank}`,
    );
  }
  return ranks[groupRank];
}

/** Place of `worldRank` in `group`. @throws RangeError when it is not a member */
export function getGroupRankFromWorldRank(worldRank: number, group: GroupLike): number {
  const caller = 'getGroupRankFromWorldRank';
  const found = findGroup(group, caller);
  checkWorldRank(worldRank, current(caller).world.size, caller);
  const member = found.ranks.indexOf(worldRank);
  if (member < 0) {
    throw new RangeError(
      `${caller}: rank ${worldRank} is not in group '${found.name}' (ranks ${found.ranks.join(', ')})`,
    );
  }
  return member;
}

function memberOf(group: ProcessGroup, caller: string): number {
  if (group.rank < 0) {
    const { rank } = current(caller).world;
    throw new RangeError(
      `${caller}: rank ${rank} is not in group '${group.name}' (ranks ${group.ranks.join(', ')})`,
    );
  }
  return group.rank;
}

function hostMembers(group: ProcessGroup): number[] {
  const { hostRanks } = current('getLocalRank').world;
  return group.ranks.filter((rank) => hostRanks.includes(rank));
}
