/** Divides arrays among the members of a group. */

import { REDUCE_STEP } from '../reducer.js';

/** Elements [from, to). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Elements of the longest part when `count` elements are divided among `members`. */
export function partLength(count: number, members: number): number {
  // Whole vectors, so that each part begins at an address that WebAssembly takes.
  return Math.ceil(count / members / REDUCE_STEP) * REDUCE_STEP;
}

/** Elements of part `member` when `count` elements are divided among `members`. */
export function partOf(count: number, members: number, member: number): Span {
  const length = partLength(count, members);
  return { from: Math.min(member * length, count), to: Math.min((member + 1) * length, count) };
}
