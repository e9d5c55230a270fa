/** Makes and fails worlds of threads; a rank joins one by thread-world.ts. */

import { checkOptionNames } from '../../core/options.js';
import { show } from '../../core/show.js';
import { checkTimeout, DEFAULT_TIMEOUT } from '../timeout.js';
import { worldAreaBytes } from './area-sizes.js';
import type { Failure } from './failure-record.js';
import { requireSharedMemory } from './isolation.js';
import { RANK, Segment, type SegmentMemory } from './segment.js';

/** A thread's ticket to a world; goes to it by `workerData` or `postMessage`. */
export interface ThreadWorldHandle {
  readonly kind: 'thread';
  readonly rank: number;
  readonly segment: SegmentMemory;
}

export interface ThreadWorldOptions {
  /** Seconds that a collective may take by default; Infinity: forever. Default 600. */
  timeout?: number;
  /** Bytes of shared memory for groups. Default: 64 MiB, besides the world's own group. */
  areaBytes?: number;
}

const DEFAULT_AREA_BYTES = 64 * 2 ** 20;

/**
 * Makes the handles of a new world of `size` threads, one for each rank.
 * @throws TypeError for unknown options; RangeError for a size below 1, a time-out that
 *   is not above 0, negative areaBytes, and when memory is exhausted
 * @throws Error on a page that is not cross-origin isolated, with the headers that it needs
 */
export function createThreadWorld(
  size: number,
  options: ThreadWorldOptions = {},
): ThreadWorldHandle[] {
  const caller = 'createThreadWorld';
  checkOptionNames(options, ['timeout', 'areaBytes'], caller);
  const { timeout = DEFAULT_TIMEOUT } = options;
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`${caller}: size must be an integer of 1 or more, got ${show(size)}`);
  }
  checkTimeout(caller, timeout);
  const areaBytes = options.areaBytes ?? DEFAULT_AREA_BYTES + worldAreaBytes(size);
  if (!Number.isSafeInteger(areaBytes) || areaBytes < 0) {
    throw new RangeError(
      `${caller}: areaBytes must be an integer of 0 or more, got ${show(areaBytes)}`,
    );
  }
  requireSharedMemory(caller);
  const segment = segmentOf(size, timeout, areaBytes).memory;
  return Array.from({ length: size }, (_, rank) => ({ kind: 'thread', rank, segment }));
}

function segmentOf(size: number, timeout: number, areaBytes: number): Segment {
  try {
    return Segment.create({ size, timeout, areaBytes });
  } catch (error) {
    throw new RangeError(
      `createThreadWorld: no memory for a world of ${size} threads with ${areaBytes} bytes for ` +
        `its groups: ${(error as Error).message}`,
    );
  }
}

/** Ends the world because `rank` failed: every rank's collectives throw with `text`, at once. */
export function failThreadWorld(handle: ThreadWorldHandle, text: string): void {
  const caller = 'failThreadWorld';
  const { segment } = viewOf(handle, caller);
  if (typeof text !== 'string') {
    throw new TypeError(`${caller}: expected why the rank failed, a text, got ${show(text)}`);
  }
  segment.failure.write(handle.rank, text);
  segment.ringAll();
}

/** Returns a rank's view of its world. @throws TypeError and RangeError for a bad handle */
export function viewOf(
  handle: ThreadWorldHandle,
  caller: string,
): { segment: Segment; rank: number } {
  if (typeof handle !== 'object' || handle === null) {
    throw new TypeError(`${caller}: expected the handle of a world, got ${show(handle)}`);
  }
  const segment = new Segment(handle.segment, caller);
  const { rank } = handle;
  if (!Number.isInteger(rank) || rank < 0 || rank >= segment.size) {
    throw new RangeError(
      `${caller}: the world handle's rank must be 0 to ${segment.size - 1}, got ${show(rank)}`,
    );
  }
  return { segment, rank };
}

/** The rank that ended the world and why; null while none has. The first failure stands. */
export function readThreadFailure(handle: ThreadWorldHandle): Failure | null {
  return new Segment(handle.segment).failure.read();
}

/** Notes that the thread of a rank has ended; ranks that wait for it fail at once. */
export function markExited(handle: ThreadWorldHandle, exitCode: number): void {
  const segment = new Segment(handle.segment);
  segment.markGone(handle.rank);
  segment.store(handle.rank, RANK.exitCode, exitCode);
  segment.store(handle.rank, RANK.exited, 1);
  segment.ringAll();
}
