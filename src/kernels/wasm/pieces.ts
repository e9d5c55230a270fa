/** Cuts a run of channels into pieces that fit a staging array, and copies them in and out. */

import type { TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { ChannelRange } from '../kernels.js';
import { rowsOf } from './variant.js';

/** Part of an array: rows, channels of them, and values of each channel. */
export interface Piece {
  /** First channel, and the number of channels. */
  readonly channel: number;
  readonly channels: number;
  readonly rows: number;
  /** Values of each channel in a row. */
  readonly values: number;
  /** Index of the first element, and elements from one row to the next, in the whole array. */
  readonly start: number;
  readonly stride: number;
  /** Index of the first value in a mask, and from one row to the next there. */
  readonly place: number;
  readonly places: number;
  /** Elements of a row of the piece; in a staging array the rows are contiguous. */
  readonly width: number;
  /** Values per channel of the earlier pieces of these channels. */
  readonly before: number;
}

/**
 * Yields the pieces of `range`, at most `capacity` elements each. Pieces of the same channels
 * follow one another. Yields nothing if there are no values.
 */
export function* piecesOf(
  layout: Layout,
  { from, to }: ChannelRange,
  capacity: number,
): Generator<Piece> {
  const { rows, values } = rowsOf(layout);
  if (rows === 0 || values === 0) return;
  const stride = layout.channels * values;
  const channelStep = Math.max(1, Math.floor(capacity / values));
  const valueStep = Math.min(values, capacity);
  for (let channel = from; channel < to; channel += channelStep) {
    const channels = Math.min(channelStep, to - channel);
    const rowStep = Math.max(1, Math.floor(capacity / (channels * valueStep)));
    let before = 0;
    for (let row = 0; row < rows; row += rowStep) {
      const rowCount = Math.min(rowStep, rows - row);
      // A channel wider than the array is alone in its pieces, and goes through by parts.
      for (let value = 0; value < values; value += valueStep) {
        const part = Math.min(valueStep, values - value);
        const start = row * stride + channel * values + value;
        const width = channels * part;
        const at = { start, stride, place: row * values + value, places: values, width };
        yield { channel, channels, rows: rowCount, values: part, ...at, before };
        before += rowCount * part;
      }
    }
  }
}

/** True if the rows of a piece are consecutive, in an array as in a staging array. */
export function isRun({ rows, width, stride }: Piece): boolean {
  return rows === 1 || width === stride;
}

/** Copies a piece of `array` into `staged`. */
export function copyIn(staged: TensorData, array: TensorData, piece: Piece): void {
  const { rows, start, stride, width } = piece;
  // Rows of all channels are consecutive: one copy, not one for each pixel.
  if (isRun(piece)) {
    staged.set(array.subarray(start, start + rows * width));
    return;
  }
  for (let row = 0; row < rows; row++) {
    const at = start + row * stride;
    staged.set(array.subarray(at, at + width), row * width);
  }
}

/** Copies a piece out of `staged`. */
export function copyOut(array: TensorData, staged: TensorData, piece: Piece): void {
  const { rows, start, stride, width } = piece;
  if (isRun(piece)) {
    array.set(staged.subarray(0, rows * width), start);
    return;
  }
  for (let row = 0; row < rows; row++) {
    array.set(staged.subarray(row * width, (row + 1) * width), start + row * stride);
  }
}

/** Pointers to the numbers of a piece, with `skipped` channels before its first one. */
export function pointersOf(
  arrays: readonly number[],
  skipped: number,
  bytes: readonly number[],
): number[] {
  return arrays.map((at, i) => at && at + skipped * bytes[i]);
}
