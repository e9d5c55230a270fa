/** How an array is dealt out to the members of a group. */

import { REDUCE_STEP } from '../reducer.js';

/** Elements [from, to). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Elements of the longest part where `count` elements are dealt out to `members`. */
export function partLength(count: number, members: number): number {
  // Whole vectors, so that each part begins where WebAssembly may.
  return Math.ceil(count / members / REDUCE_STEP) * REDUCE_STEP;
}

/** Elements of part `member` where `count` elements are dealt out to `members`. */
export function partOf(count: number, members: number, member: number): Span {
  const length = partLength(count, members);
  return { from: Math.min(member * length, count), to: Math.min((member + 1) * length, count) };
}
