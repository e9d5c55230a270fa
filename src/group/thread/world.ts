/** What a world of threads is made and failed with; a rank joins it by thread-world.ts. */

import { checkTimeout, DEFAULT_TIMEOUT } from '../timeout.js';
import { worldAreaBytes } from './area-sizes.js';
import type { Failure } from './failure-record.js';
import { requireSharedMemory } from './isolation.js';
import { RANK, Segment, type SegmentMemory } from './segment.js';

/** What a thread needs to join a world; goes to it by `workerData` or `postMessage`. */
export interface ThreadWorldHandle {
  readonly kind: 'thread';
  readonly rank: number;
  readonly segment: SegmentMemory;
}

export interface ThreadWorldOptions {
  /** Seconds that a collective may take by default; Infinity: for ever. Default 600. */
  timeout?: number;
  /** Bytes of shared memory for groups. Default: 64 MiB, and the world's own group on top. */
  areaBytes?: number;
}

const DEFAULT_AREA_BYTES = 64 * 2 ** 20;

/**
 * The handles of a new world of `size` threads, one for each rank.
 * @throws RangeError for a size below 1, a time-out that is not above 0 or negative areaBytes
 * @throws Error on a page that is not cross-origin isolated, with the headers that it needs
 */
export function createThreadWorld(
  size: number,
  options: ThreadWorldOptions = {},
): ThreadWorldHandle[] {
  const timeout = options.timeout ?? DEFAULT_TIMEOUT;
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`createThreadWorld: size must be an integer of 1 or more, got ${size}`);
  }
  checkTimeout('createThreadWorld', timeout);
  const areaBytes = options.areaBytes ?? DEFAULT_AREA_BYTES + worldAreaBytes(size);
  if (!Number.isSafeInteger(areaBytes) || areaBytes < 0) {
    throw new RangeError(
      `createThreadWorld: areaBytes must be an integer of 0 or more, got ${areaBytes}`,
    );
  }
  requireSharedMemory('createThreadWorld');
  const segment = Segment.create({ size, timeout, areaBytes }).memory;
  return Array.from({ length: size }, (_, rank) => ({ kind: 'thread', rank, segment }));
}

/** Ends the world because `rank` failed: every rank's collectives throw with `text`, at once. */
export function failThreadWorld(handle: ThreadWorldHandle, text: string): void {
  const segment = new Segment(handle.segment);
  segment.failure.write(handle.rank, text);
  segment.ringAll();
}

/** The rank that ended the world and why, or null while none has. The first failure stands. */
export function readThreadFailure(handle: ThreadWorldHandle): Failure | null {
  return new Segment(handle.segment).failure.read();
}

/** Notes that the thread of a rank has ended; ranks that wait for it fail at once. */
export function markExited(handle: ThreadWorldHandle, exitCode: number): void {
  const segment = new Segment(handle.segment);
  segment.store(handle.rank, RANK.exitCode, exitCode);
  segment.store(handle.rank, RANK.exited, 1);
  segment.ringAll();
}
