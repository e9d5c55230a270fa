/**
 * Copies of tensors that lie outside the kernels' memory. The kernels would copy them by pieces in
 * every stage; small tensors are copied in once for a pass, and its result out, each by blocks of
 * channels beside the stage that reads or writes them. One place for each tensor and thread: passes
 * run one at a time, and nothing is kept between them.
 */

import { ARRAYS, type TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { ChannelRange } from '../../kernels/kernels.js';
import type { Kernels } from '../kernels.js';

/** Most bytes of a tensor that is copied: a larger copy would leave the cache before it is used. */
const MOST = 4 << 20;
/** Bytes of a block, which stays in the second-level cache beside two others. */
const BLOCK = 384 << 10;

/** Places: of x, and of dy, which dx takes over. */
type Slot = 'x' | 'dy';

/** A tensor where the kernels read and write it: itself, or a copy. */
export class Near {
  readonly data: TensorData;
  readonly #array: TensorData;
  readonly #layout: Layout;

  constructor(kernels: Kernels, slot: Slot, array: TensorData, layout: Layout) {
    this.data = placeOf(kernels, slot, array, layout) ?? array;
    this.#array = array;
    this.#layout = layout;
  }

  get isCopy(): boolean {
    return this.data !== this.#array;
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
    const width = channels * plane;
    if (to - from === channels) {
      target.set(source.length > target.length ? source.subarray(0, samples * width) : source);
      return;
    }
    for (let start = from * plane; start < samples * width; start += width) {
      target.set(source.subarray(start, start + (to - from) * plane), start);
    }
  }
}

/** Blocks of `range` to copy at once; one if neither is a copy, or a channel's values lie apart. */
export function blocksOf(
  layout: Layout,
  { from, to }: ChannelRange,
  a: Near,
  b: Near,
): ChannelRange[] {
  const { samples, plane, channelsLast } = layout;
  const isWhole = (!a.isCopy && !b.isCopy) || channelsLast || plane === 1;
  const bytes = samples * plane * a.data.BYTES_PER_ELEMENT;
  const step = isWhole ? to - from : Math.max(1, Math.round(BLOCK / bytes));
  const blocks: ChannelRange[] = [];
  for (let c = from; c < to; c += step) blocks.push({ from: c, to: Math.min(to, c + step) });
  return blocks;
}

interface Place {
  readonly memory: Float64Array;
  /** Its beginning, as the last tensor that was asked for. */
  view: TensorData;
}

const places = new WeakMap<Kernels, Partial<Record<Slot, Place>>>();

/** Place of a copy of `array`; null: it needs none, is too large, or memory is exhausted. */
function placeOf(
  kernels: Kernels,
  slot: Slot,
  array: TensorData,
  { samples, channels, plane, dtype }: Layout,
): TensorData | null {
  const length = samples * channels * plane;
  const bytes = length * array.BYTES_PER_ELEMENT;
  if (bytes > MOST || bytes === 0 || kernels.isNear(array)) return null;
  const place = memoryFor(kernels, slot, bytes);
  if (place === null) return null;
  const { view, memory } = place;
  if (view.length !== length || view.constructor !== ARRAYS[dtype]) {
    place.view = new ARRAYS[dtype](memory.buffer as ArrayBuffer, memory.byteOffset, length);
  }
  return place.view;
}

function memoryFor(kernels: Kernels, slot: Slot, bytes: number): Place | null {
  const own = places.get(kernels) ?? {};
  places.set(kernels, own);
  const there = own[slot];
  if (there !== undefined && there.memory.byteLength >= bytes) return there;
  try {
    // Powers of two: shapes that change do not take ever more.
    const memory = kernels.allocate('float64', 2 ** Math.ceil(Math.log2(bytes / 8)));
    if (there !== undefined) kernels.release(there.memory);
    own[slot] = { memory, view: memory };
    return own[slot];
  } catch {
    // Pieces need no more memory.
    return null;
  }
}
