/**
 * Groups of threads whose ranks all run on the test's own thread. Their collectives can be awaited,
 * or waited for by the rank that starts last; timing is then the test's alone.
 */

import { ProcessGroup } from '../../src/group/process-group.js';
import { ThreadWorld } from '../../src/group/thread/thread-world.js';
import { createThreadWorld, type ThreadWorldOptions } from '../../src/group/thread/world.js';

/** Every rank's view of a new world. */
export function worldsOf(size: number, options: ThreadWorldOptions = {}): ThreadWorld[] {
  return createThreadWorld(size, { timeout: 5, ...options }).map((h) => new ThreadWorld(h));
}

/** The group `name` as each of its members sees it; `ranks` defaults to all. */
export function groupOf(
  worlds: readonly ThreadWorld[],
  name: string,
  ranks: readonly number[] = worlds.map(({ rank }) => rank),
): ProcessGroup[] {
  return ranks.map((rank, member) => memberGroup(worlds[rank], name, ranks, member));
}

/** One member's view of a group. */
export function memberGroup(
  world: ThreadWorld,
  name: string,
  ranks: readonly number[],
  member: number,
): ProcessGroup {
  return new ProcessGroup(name, ranks, member, world.connect(name, ranks), world.timeout);
}

/** Sums one number over a group; the result of each member. */
export async function sumOver(groups: readonly ProcessGroup[]): Promise<number[]> {
  const works = groups.map(({ rank }, i) =>
    groups[i].allReduce(Float64Array.of(rank + 1), { label: 'sum' }),
  );
  const results = await Promise.all(works.map((work) => work.done()));
  return results.map(([sum]) => sum);
}
