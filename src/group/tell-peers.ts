/** Keeps the other ranks of a group from waiting for a rank with a bad argument. */

import { describeError } from '../core/errors.js';
import type { ProcessGroup } from './process-group.js';

/**
 * Runs `check`. If it throws, the next collective of the group fails on its other ranks, too, with
 * the error's text followed by `where`.
 * @param groupOf asked only if the check fails; null: nobody waits
 */
export function tellingPeers<T>(
  groupOf: () => ProcessGroup | null,
  label: string,
  where: string,
  check: () => T,
): T {
  try {
    return check();
  } catch (error) {
    tellError(groupOf(), error, label, where);
    throw error;
  }
}

/** Fails the next collective of the group on its other ranks, if there are any, with an error. */
export function tellError(
  group: ProcessGroup | null,
  error: unknown,
  label: string,
  where: string,
): void {
  if (group === null || group.size === 1 || group.rank < 0) return;
  tellPeers(group, describeError(error) + where, label);
}

/** Fails the next collective of the group on its other ranks, with `message`. */
export function tellPeers(group: ProcessGroup, message: string, label: string): void {
  // The rank goes on with its error, so the call moves on in the background. If it were only
  // started, a later call would never begin. Its own outcome is this same error.
  group
    .raise(message, { label })
    .done()
    .catch(() => {});
}
