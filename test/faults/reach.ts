/**
 * Which calls can end well after a fault. A call needs all its members; a member starts it only
 * when the calls that it waited for before have ended. What no rank could have computed without
 * the guilty one must not be reported as computed.
 */

import { traitsOf } from './fault.js';
import type { Plan } from './plan.js';
import type { Op } from './program.js';

/** Whether the guilty rank takes part in the call as the others expect. */
function takesPart({ fault, program }: Plan, op: Op): boolean {
  const { effect } = traitsOf(fault.kind);
  if (op.index < fault.at || effect === 'perhaps' || effect === 'nothing') return true;
  if (effect === 'leaves') return op.group !== program.ops[fault.at].group;
  return effect === 'spoils' && op.index > fault.at;
}

/** Calls that rank `rank` must not end well, by index. */
export function unreachable(plan: Plan, rank: number): Set<number> {
  const { ops, groups } = plan.program;
  const own = ops.filter(({ group }) => groups[group].ranks.includes(rank));
  const ends = endings(plan);
  return new Set(own.filter((op) => !ends(rank, op)).map(({ index }) => index));
}

/** Whether a rank may end a call: the greatest set that agrees with itself. */
function endings(plan: Plan): (rank: number, op: Op) => boolean {
  const { ops, groups } = plan.program;
  const never = new Set<string>();
  const key = (rank: number, op: Op) => `${rank}/${op.index}`;
  const starts = (rank: number, op: Op) => {
    if (rank === plan.fault.rank && !takesPart(plan, op)) return false;
    return !waitedForBefore(ops, op)
      .filter(({ group }) => groups[group].ranks.includes(rank))
      .filter((before) => rank !== plan.fault.rank || takesPart(plan, before))
      .some((before) => never.has(key(rank, before)));
  };
  const spoilt = traitsOf(plan.fault.kind).effect === 'spoils' ? plan.fault.at : -1;
  const needed = (rank: number, op: Op) => {
    const { ranks } = groups[op.group];
    // The root of a broadcast needs nobody, and others need the root alone.
    return op.kind === 'broadcast' && op.index !== spoilt ? [rank, ranks[op.root]] : ranks;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const op of ops) {
      for (const rank of groups[op.group].ranks) {
        if (never.has(key(rank, op)) || needed(rank, op).every((m) => starts(m, op))) continue;
        never.add(key(rank, op));
        changed = true;
      }
    }
  }
  return (rank, op) => !never.has(key(rank, op));
}

/** The calls whose end a rank awaits before it starts `op`. */
function waitedForBefore(ops: readonly Op[], op: Op): Op[] {
  if (op.style !== 'later') return ops.slice(0, op.index);
  const last = ops.slice(0, op.index).findLastIndex(({ style }) => style !== 'later');
  return ops.slice(0, last + 1);
}
