/**
 * Copies of tensors that lie outside the kernels' memory. The kernels would copy them by pieces in
 * every stage; small tensors are copied in once for a pass, and its result out, each by blocks of
 * channels beside the stage that reads or writes them.
 */

import { ARRAYS, type TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { ChannelRange } from '../../kernels/kernels.js';
import type { Kernels } from '../kernels.js';
import { scratch } from './scratch.js';

/** Most bytes of a tensor that is copied: a larger copy would leave the cache before it is used. */
const MOST = 4 << 20;
/** Bytes of a block, which stays in the second-level cache beside two others. */
const BLOCK = 384 << 10;

/** Chooses the kernels for stages over tensors; see unshared.ts. */
type Choose = (
  kernels: Kernels,
  layout: Layout,
  a: TensorData,
  b: TensorData,
  c?: TensorData,
) => Kernels;

/** The kernels for stages that read and write these tensors and no others. */
export let kernelsOver: Choose = (kernels) => kernels;

/** Called by src/features/unshared.ts. */
export function fillUnshared(choose: Choose): void {
  kernelsOver = choose;
}

/** A tensor where the kernels read and write it: itself, or a copy. */
export class Near {
  readonly kernels: Kernels;
  readonly data: TensorData;
  readonly isCopy: boolean;
  readonly #array: TensorData;
  readonly #layout: Layout;

  /** @param use the place of a copy; dx takes over that of dy */
  constructor(kernels: Kernels, use: 'x' | 'dy', array: TensorData, layout: Layout) {
    this.kernels = kernels;
    this.data = copyOf(kernels, use, array, layout);
    this.isCopy = this.data !== array;
    this.#array = array;
    this.#layout = layout;
  }

  /** Copies channels in, if this is a copy. */
  bring(range: ChannelRange): void {
    if (this.isCopy) this.#copy(this.data, this.#array, range);
  }

  /** Copies channels out. */
  deliver(range: ChannelRange): void {
    if (this.isCopy) this.#copy(this.#array, this.data, range);
  }

  #copy(target: TensorData, source: TensorData, { from, to }: ChannelRange): void {
    const { samples, channels, plane } = this.#layout;
    const all = samples * channels * plane;
    const step = to - from === channels ? all : channels * plane;
    const length = (to - from) * plane * (step === all ? samples : 1);
    for (let start = from * plane; start < all; start += step) {
      target.set(source.subarray(start, start + length), start);
    }
  }
}

/** Blocks of `range` to copy at once; one if neither is a copy, or a channel's values lie apart. */
export function blocksOf(layout: Layout, range: ChannelRange, a: Near, b: Near): ChannelRange[] {
  const { samples, plane, channelsLast } = layout;
  if ((!a.isCopy && !b.isCopy) || channelsLast || plane === 1) return [range];
  const { from, to } = range;
  const bytes = samples * plane * a.data.BYTES_PER_ELEMENT;
  const step = Math.max(1, Math.round(BLOCK / bytes));
  const blocks: ChannelRange[] = [];
  for (let c = from; c < to; c += step) blocks.push({ from: c, to: Math.min(to, c + step) });
  return blocks;
}

/** Place of a copy of `array`; itself if it needs none, is too large, or memory is short. */
function copyOf(
  kernels: Kernels,
  use: 'x' | 'dy',
  array: TensorData,
  { samples, channels, plane, dtype }: Layout,
): TensorData {
  // First, since small passes over the kernels' own arrays take microseconds.
  if (kernels.isNear(array)) return array;
  const length = samples * channels * plane;
  const bytes = length * array.BYTES_PER_ELEMENT;
  if (bytes > MOST || bytes === 0) return array;
  try {
    const { buffer, byteOffset } = scratch(kernels, use, Math.ceil(bytes / 8)).all;
    return new ARRAYS[dtype](buffer as ArrayBuffer, byteOffset, length);
  } catch {
    // Pieces need no more memory.
    return array;
  }
}
