/** How an array is dealt out to the members of a group. */

import type { CollectiveArray } from '../transport.js';

/** Elements [from, to). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Elements of part `member` where `count` elements are cut into `members` parts. */
export function partOf(count: number, members: number, member: number): Span {
  const length = Math.ceil(count / members);
  return { from: Math.min(member * length, count), to: Math.min((member + 1) * length, count) };
}

/** Bytes of the longest part where `array` is dealt out to all members. */
export function partBytes({ length, BYTES_PER_ELEMENT }: CollectiveArray, members: number): number {
  return Math.ceil(length / members) * BYTES_PER_ELEMENT;
}
