/**
 * Chooses the kernel of an array, and the blocks of a backward call: the one place that knows.
 *
 * | variant | arrays | one pass over | blocks |
 * |---|---|---|---|
 * | plane | channels first, planes of 32 values and more* | planes, in memory's order; small ones of four samples at once | channels |
 * | row | channels first, smaller planes | runs of 4 KB over all samples, four at once | channels |
 * | row | channels last, and (N, C) | as above, over all rows | none: strips of channels lose 2 to 6 times |
 *
 * (*) Below 8 samples also planes of 16 bytes and more.
 */

import type { DType } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';

/** Bytes of an element. */
export const BYTES: Record<DType, 2 | 4 | 8> = { float32: 4, float64: 8, float16: 2, bfloat16: 2 };

/** Bytes of the numbers that elements are computed as, and of weights. */
export function numberBytes(dtype: DType): 4 | 8 {
  return dtype === 'float64' ? 8 : 4;
}

/** An array as rows: `rows` of them, each channel with `values` adjacent values in a row. */
export interface Rows {
  readonly rows: number;
  readonly values: number;
}

/** Pixels of channels-last arrays are rows; so are samples of channels-first ones. */
export function rowsOf(layout: Layout): Rows {
  return layout.channelsLast
    ? { rows: layout.samples * layout.plane, values: 1 }
    : { rows: layout.samples, values: layout.plane };
}

/** A plane below one vector of 16 bytes has no kernel of its own. */
const VECTOR = 16;
/** Planes below this many values go by rows, if there are this many samples. */
const TINY_PLANE = 32;
const SAMPLES = 8;

/** True if `rows` rows with `values` of `bytes` bytes each to a channel go by rows. */
export function byRows(rows: number, values: number, bytes: number): boolean {
  return values * bytes < VECTOR || (values < TINY_PLANE && rows >= SAMPLES);
}

/** Bytes of x in a block that stays, with dy and dx, in the second-level cache. */
const BLOCK_BYTES = 128 << 10;
/**
 * Bytes of x up to which the last-level cache holds all, with dy and dx. Then blocks are larger,
 * since each of them is a meeting of the ranks. A forward call always takes all channels, since
 * prefetching over whole arrays gains more than blocks save: docs/kernels.md has the figures.
 */
const CACHED_BYTES = 2 << 20;
const CACHED_BLOCK_BYTES = 416 << 10;
/** Adjacent bytes in memory that the hardware's prefetching needs ... */
const RUN_BYTES = 48 << 10;
/** ... even at the price of blocks that only the last-level cache holds, up to this size. */
const LARGEST_BLOCK_BYTES = 1640 << 10;

/** Channels of one block of a backward call; all channels if a row has one value of each. */
export function channelsPerBlock(layout: Layout): number {
  const { channels, samples, plane } = layout;
  const bytes = BYTES[layout.dtype];
  if (layout.channelsLast || plane <= 1) return Math.max(1, channels);
  const channelBytes = Math.max(1, samples * plane * bytes);
  const arrayBytes = channels * channelBytes;
  if (arrayBytes <= CACHED_BYTES) {
    return inBlocks(channels, arrayBytes / CACHED_BLOCK_BYTES);
  }
  let fit = Math.max(1, Math.floor(BLOCK_BYTES / channelBytes));
  if (!byRows(samples, plane, numberBytes(layout.dtype))) {
    const run = Math.floor(RUN_BYTES / (plane * bytes));
    fit = Math.max(fit, Math.min(run, Math.floor(LARGEST_BLOCK_BYTES / channelBytes)));
  }
  return inBlocks(channels, channels / fit);
}

/** Channels of one of `blocks` blocks or a few more: equal ones, as nearly as possible. */
function inBlocks(channels: number, blocks: number): number {
  return Math.max(1, Math.ceil(channels / Math.max(1, Math.ceil(blocks))));
}
