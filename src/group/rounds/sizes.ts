/** Sizes of frames and their slots. */

/** Bytes of a header: eight Int32. */
export const HEADER_BYTES = 32;

/** Bytes of one slot. */
export function slotBytes(capacity: number): number {
  // WebAssembly may write a whole vector for a part of one. Slots whose length is not a power of
  // two do not compete for the same cache lines.
  const bytes = HEADER_BYTES + capacity + 16;
  return bytes < 4096 ? Math.ceil(bytes / 64) * 64 : Math.ceil(bytes / 4096) * 4096 + 1024;
}

/** Bytes of the slots of all members. */
export function sharedBytes(members: number, capacity: number): number {
  return 2 * members * slotBytes(capacity);
}

/** Bytes of payload of each frame: the most, the least, and what all slots of a group may take. */
export interface CapacityLimits {
  readonly most: number;
  readonly least: number;
  readonly all: number;
}

/** Bytes of payload of each frame: fewer in larger groups. */
export function capacityFor({ most, least, all }: CapacityLimits, members: number): number {
  const share = Math.floor(all / members / 64) * 64;
  return Math.min(most, Math.max(least, share));
}
