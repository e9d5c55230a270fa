/** Errors of one rank on all ranks of a group, told once each. */

import { CollectiveError, describeError } from '../../core/errors.js';
import type { ProcessGroup } from '../../group/process-group.js';
import { tellPeers } from '../../group/tell-peers.js';
import type { Work } from '../../group/transport.js';

/** World ranks that know of an error. */
const informed = new WeakMap<object, Set<number>>();

function note(error: unknown, { ranks }: ProcessGroup): void {
  if (typeof error !== 'object' || error === null) return;
  const all = informed.get(error) ?? new Set();
  for (const rank of ranks) all.add(rank);
  informed.set(error, all);
}

function isKnown(error: unknown, { ranks }: ProcessGroup): boolean {
  const all = informed.get(error as object);
  return all !== undefined && ranks.every((rank) => all.has(rank));
}

/** Fails the next collective of the group on its other ranks, unless they know the error. */
export function tellOnce(error: unknown, group: ProcessGroup, label: string): void {
  if (group.size === 1 || group.rank < 0 || isKnown(error, group)) return;
  note(error, group);
  tellPeers(group, describeError(error), label);
}

/** Runs `f`, and tells the group's other ranks of its error. */
export function tellingErrors<T>(group: ProcessGroup, label: string, f: () => T): T {
  try {
    return f();
  } catch (error) {
    tellOnce(error, group, label);
    throw error;
  }
}

/** Awaits the promise of `f`, and tells the group's other ranks of its error. */
export async function tellingErrorsLater<T>(
  group: ProcessGroup,
  label: string,
  f: () => Promise<T>,
): Promise<T> {
  try {
    return await f();
  } catch (error) {
    tellOnce(error, group, label);
    throw error;
  }
}

/**
 * Runs `f`, which meets the other ranks in collectives of the group. All its ranks know the errors
 * of collectives; they are told of all other errors.
 */
export function meeting<T>(group: ProcessGroup, label: string, f: () => T): T {
  return tellingErrors(group, label, () => {
    try {
      return f();
    } catch (error) {
      if (error instanceof CollectiveError) note(error, group);
      throw error;
    }
  });
}

/** Waits for a collective of the group. All of its ranks know when it fails. */
export function waitFor<T>(group: ProcessGroup, work: Work<T>): T {
  try {
    return work.wait();
  } catch (error) {
    note(error, group);
    throw error;
  }
}

/** Awaits a collective of the group, as {@link waitFor} waits. */
export async function awaitFor<T>(group: ProcessGroup, work: Work<T>): Promise<T> {
  try {
    return await work.done();
  } catch (error) {
    note(error, group);
    throw error;
  }
}

/** Adds up a few numbers of each rank. */
export function sumOverGroup(group: ProcessGroup, numbers: number[], label: string): Float64Array {
  return waitFor(group, group.allReduce(Float64Array.from(numbers), { label }));
}
