/**
 * The world that this rank is in, and its groups by name: MindSpore's `mindspore.communication`,
 * with its names in TypeScript's spelling; ranks.ts has the questions.
 */

import { checkFlag, setChecked } from '../core/check-mode.js';
import { checkInteger, checkType } from '../core/checks.js';
import { loadFeatures } from '../core/features.js';
import { checkOptionNames } from '../core/options.js';
import { builtin, launchedRank } from '../core/platform.js';
import { show, showText } from '../core/show.js';
import { joinLaunchedProcess } from './mpi/load.js';
import { ProcessGroup } from './process-group.js';
import { SoloWorld } from './solo.js';
import { joinThreadWorld } from './thread/load.js';
import type { ThreadWorldHandle } from './thread/world.js';
import { checkTimeout, DEFAULT_TIMEOUT } from './timeout.js';
import type { World } from './transport.js';

/** Most characters of the list of known names in an error. */
const MOST_KNOWN = 500;

/** Name of the group of all ranks. */
export const WORLD_GROUP = 'world';

export interface InitOptions {
  /**
   * The world to join: a handle that `createThreadWorld` made and that was sent to this thread, or
   * a {@link World} of another kind. Default: the world that the launcher gave to this thread or
   * process; without a launcher, a world of one.
   */
  world?: ThreadWorldHandle | World;
  /** Seconds that a collective may take unless it names a time; above 0. Default: the world's. */
  timeout?: number;
  /**
   * If true, layers and averaging look for silent mistakes: inputs that change between forward and
   * backward, ranks that differ. The same on all ranks. Default: true if the variable SYNCBN_CHECK
   * is 1.
   */
  check?: boolean;
}

export interface Session {
  readonly world: World;
  readonly timeout: number;
  readonly groups: Map<string, ProcessGroup>;
}

let session: Session | null = null;
/** An `init` under way. */
let joining: Promise<void> | null = null;

/**
 * Joins the world. Calling it again is harmless.
 * @throws TypeError for unknown options and for anything but a world; RangeError for a
 *   timeout that is not above 0
 */
export async function init(options: InitOptions = {}): Promise<void> {
  checkOptionNames(options, ['world', 'timeout', 'check'], 'init');
  if (session !== null) return;
  checkFlag(options.check);
  joining ??= join(options).finally(() => {
    joining = null;
  });
  await joining;
}

async function join(options: InitOptions): Promise<void> {
  const { timeout } = options;
  if (timeout !== undefined) checkTimeout('init', timeout);
  await loadFeatures();
  const world =
    (await worldOf(options.world ?? launchedThread())) ??
    (await joinLaunchedProcess(timeout)) ??
    new SoloWorld(timeout ?? DEFAULT_TIMEOUT);
  const joined = { world, timeout: timeout ?? world.timeout, groups: new Map() };
  const ranks = Array.from({ length: world.size }, (_, rank) => rank);
  joined.groups.set(WORLD_GROUP, makeGroup(joined, WORLD_GROUP, ranks));
  await setChecked(options.check);
  // Last: a world that could not be joined leaves no traces.
  session = joined;
}

/** Returns the world of a handle; a world as it is. */
async function worldOf(given: ThreadWorldHandle | World | null): Promise<World | null> {
  if (given === null) return null;
  if (typeof given !== 'object') {
    throw new TypeError(`init: world must be a handle or a World, got ${show(given)}`);
  }
  if (!('connect' in given)) return joinThreadWorld(given);
  const { rank, size } = given;
  if (!Number.isInteger(size) || !Number.isInteger(rank) || rank < 0 || rank >= size) {
    throw new RangeError(`init: a World has a size and a rank, got ${show(rank)} of ${show(size)}`);
  }
  return given;
}

/** The handle that `syncrun` and `launch` left, or that a worker's data holds; or null. */
function launchedThread(): ThreadWorldHandle | null {
  const launched = launchedRank();
  launched?.joined();
  if (launched !== null) return launched.world as ThreadWorldHandle;
  const threads = builtin<typeof import('node:worker_threads')>('node:worker_threads');
  const data = threads?.workerData as { syncbn?: ThreadWorldHandle } | null | undefined;
  return data?.syncbn ?? null;
}

/** Leaves the world: its groups are gone, and ranks that still wait for this one fail. */
export function release(): void {
  if (session === null) return;
  const { world, groups } = session;
  // Even if a step fails, this rank is in no world afterwards.
  session = null;
  try {
    // The world first: it tells the members of every group that is still open.
    world.release();
  } finally {
    for (const group of groups.values()) group.close();
  }
}

/** True if `init` has been called, and `release` has not. */
export function isInitialized(): boolean {
  return session !== null;
}

/** The world that this rank is in. @throws Error before `init` */
export function current(caller: string): Session {
  if (session === null) {
    throw new Error(`${caller}: there is no world yet; call init() first, and await it`);
  }
  return session;
}

/** A group in arguments: its name, itself, or by default the world. */
export type GroupLike = string | ProcessGroup | null;

/**
 * Finds the group by its name or by itself; by default the world.
 * @throws TypeError for anything but a name, a group, null and undefined
 * @throws RangeError for an unknown name, or a group that was destroyed
 */
export function findGroup(group: GroupLike | undefined, caller: string): ProcessGroup {
  const { groups } = current(caller);
  if (typeof group !== 'string' && group != null && !(group instanceof ProcessGroup)) {
    throw new TypeError(`${caller}: a group is a name or a ProcessGroup, got ${show(group)}`);
  }
  const name = group instanceof ProcessGroup ? group.name : (group ?? WORLD_GROUP);
  const found = groups.get(name);
  if (found === undefined || (group instanceof ProcessGroup && found !== group)) {
    throw new RangeError(
      `${caller}: unknown group '${showText(name)}'; this rank knows ` +
        showText([...groups.keys()].join(', '), MOST_KNOWN),
    );
  }
  return found;
}

/**
 * The group called `name`; by default all ranks.
 * @throws RangeError for an unknown name
 */
export function getGroup(name: GroupLike = WORLD_GROUP): ProcessGroup {
  return findGroup(name, 'getGroup');
}

/**
 * Makes the group `name` of the world ranks `rankIds`; the index in the list is the group rank.
 * Every member calls it; other ranks may, and get a group that they can name but not use. The same
 * name with the same ranks returns the same group.
 * @throws TypeError for a name that is not a string, or a list that holds anything but integers
 * @throws RangeError for an empty name or list, duplicates, ranks outside the world, or a name
 *   that is taken with other ranks, on this rank or another
 */
export function createGroup(name: string, rankIds: readonly number[]): ProcessGroup {
  const now = current('createGroup');
  const ranks = checkGroup(name, rankIds, now.world.size);
  const known = now.groups.get(name);
  if (known !== undefined) {
    if (known.ranks.join() === ranks.join()) return known;
    throw new RangeError(
      `createGroup: group '${showText(name)}' exists with ranks ${known.ranks.join(', ')}, not ${ranks.join(', ')}`,
    );
  }
  const group = makeGroup(now, name, ranks);
  now.groups.set(name, group);
  return group;
}

function makeGroup({ world, timeout }: Session, name: string, ranks: readonly number[]) {
  const member = ranks.indexOf(world.rank);
  const transport = member < 0 ? null : world.connect(name, ranks);
  return new ProcessGroup(name, ranks, member, transport, timeout);
}

/** Checks the ranks of a new group; reads each once. */
function checkGroup(given: unknown, rankIds: unknown, worldSize: number): number[] {
  const name = checkType(given, 'string', 'createGroup: the name');
  const group = `createGroup: group '${showText(name)}'`;
  if (!Array.isArray(rankIds)) {
    throw new TypeError(`${group} needs a list of ranks, got ${show(rankIds)}`);
  }
  if (name === '') throw new RangeError('createGroup: the name must not be empty');
  const ranks: number[] = [];
  for (const rank of rankIds) {
    checkWorldRank(rank, worldSize, group);
    if (ranks.length === worldSize || ranks.includes(rank)) {
      throw new RangeError(`${group} names a rank twice: ${[...ranks, rank].join(', ')}`);
    }
    ranks.push(rank + 0);
  }
  if (ranks.length === 0) throw new RangeError(`${group} needs at least one rank`);
  return ranks;
}

export function checkWorldRank(rank: unknown, worldSize: number, caller: string): void {
  const place = checkInteger(rank, Number.NEGATIVE_INFINITY, `${caller}: a rank`);
  if (place >= 0 && place < worldSize) return;
  throw new RangeError(
    `${caller}: rank ${rank} is not in the world, whose ranks are 0 to ${worldSize - 1}`,
  );
}

/**
 * Destroys the group `name` on this rank; each member does so for itself.
 * @throws TypeError for anything but a name; RangeError for the world, and for an unknown name
 */
export function destroyGroup(name: string): void {
  const { groups } = current('destroyGroup');
  checkType(name, 'string', 'destroyGroup: the name');
  if (name === WORLD_GROUP) {
    throw new RangeError(`destroyGroup: group '${WORLD_GROUP}' is all ranks; release() leaves it`);
  }
  const group = findGroup(name, 'destroyGroup');
  groups.delete(name);
  group.close();
}
