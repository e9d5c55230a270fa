/**
 * Exact sums by assembly/: atoms of planes go into a matrix in the kernels' memory, a row for each
 * sample, whose columns are summed; single values are summed where they lie. Foreign arrays pass
 * through the staging arrays in whole planes. `syncbn/reproducible` has it.
 */

import { decode } from '../../core/binary-text.js';
import type { DType } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import { isValues, exactSums as plainExactSums } from '../atoms.js';
import type { ExactSums, ExactTerms } from '../kernels.js';
import { Blend, type Place } from './blend.js';
import type { Engine, ExactStages } from './engine.js';
import { exact32, exact64 } from './generated/exact.js';
import type { Heap } from './heap.js';
import { isHalf, maskedCapacity, SLOTS, STAGING_BYTES, type Staging } from './staging.js';
import { kernelsOf } from './types.js';
import { numberBytes } from './variant.js';

/** Part of the arrays: what a stage is told. */
interface Part {
  readonly x: number;
  readonly dy: number;
  readonly channels: number;
  readonly rows: number;
  readonly stride: number;
  /** First sample (or row of values), and first channel. */
  readonly sample: number;
  readonly channel: number;
}

export class Exact {
  readonly #engine: Engine;
  readonly #heap: Heap;
  readonly #staging: Staging;
  /** Made for the first mask. */
  #blend: Blend | null = null;
  /** Memory of an earlier call, which the next one may use. */
  #spare: Float64Array | null = null;

  constructor(engine: Engine, heap: Heap, staging: Staging) {
    this.#engine = engine;
    this.#heap = heap;
    this.#staging = staging;
  }

  sums(terms: ExactTerms, layout: Layout): ExactSums {
    const { samples, plane, channels, channelsLast } = layout;
    // Positions are channels, or the values of a short plane one by one.
    const repeat = isValues(layout) && !channelsLast ? plane : 1;
    const width = channels * repeat * numberBytes(layout.dtype);
    const fits = isValues(layout) ? width : plane * numberBytes(layout.dtype);
    const isMasked = masks(terms, layout);
    const foreign = isMasked || isHalf(layout.dtype) || !this.#owns(terms);
    const bytes = numberBytes(layout.dtype);
    const tooLarge = foreign && fits > capacityOf(terms, layout) * bytes;
    if (terms.precise || samples * plane === 0 || tooLarge || (isMasked && repeat > 1)) {
      return plainExactSums(terms, layout);
    }
    const text = bytes === 4 ? exact32 : exact64;
    const stages = this.#engine.exact(bytes, () => decode(text));
    return isValues(layout)
      ? this.#ofValues(terms, layout, repeat, stages)
      : this.#ofPlanes(terms, layout, stages);
  }

  #ofPlanes(terms: ExactTerms, layout: Layout, stages: ExactStages): ExactSums {
    const { samples, plane, channels, channelsLast } = layout;
    const columns = 2 * channels;
    const memory = this.#take(4 * columns + columns * samples);
    const [bounds, words] = [memory.subarray(0, columns), memory.subarray(columns, 3 * columns)];
    const shift = this.#shift(memory.subarray(3 * columns, 3 * columns + channels), terms.shift, 1);
    const atoms = memory.byteOffset + 8 * 4 * columns;
    const run = channelsLast ? stages.rowAtoms : stages.planeAtoms;
    for (const part of this.#planes(terms, layout)) {
      const at = atoms + 8 * (part.sample * columns + part.channel);
      const mean = shift && shift + 8 * part.channel;
      const { dy, x, rows, stride } = part;
      run(0, at, dy, x, mean, part.channels, rows, stride, plane, channels);
    }
    const { boundAtoms, addAtoms } = stages;
    bounds.fill(0);
    boundAtoms(bounds.byteOffset, atoms, samples, columns);
    return {
      bounds,
      words: (group) => {
        bounds.set(group);
        addAtoms(words.byteOffset, bounds.byteOffset, atoms, samples, columns);
        this.#spare = memory;
        return words;
      },
    };
  }

  /** Channels-last samples and channels-first rows alike are rows of `repeat` positions a channel. */
  #ofValues(terms: ExactTerms, layout: Layout, repeat: number, stages: ExactStages): ExactSums {
    const { channels } = layout;
    const positions = channels * repeat;
    const memory = this.#take(7 * positions);
    const bounds = memory.subarray(0, 2 * positions);
    const words = memory.subarray(2 * positions, 6 * positions);
    const shift = this.#shift(memory.subarray(6 * positions), terms.shift, repeat);
    const { valueBounds, valueWords } = stages;
    const [first, second] = [bounds.byteOffset, words.byteOffset];
    const each = (stage: typeof valueBounds) => {
      for (const { x, dy, rows, stride } of this.#rows(terms, layout, positions)) {
        stage(first, second, dy, x, shift, positions, rows, stride, 1, positions);
      }
    };
    bounds.fill(0);
    each(valueBounds);
    return {
      bounds: gather(bounds, repeat, Math.max),
      words: (group) => {
        spread(bounds, group, repeat);
        words.fill(0);
        each(valueWords);
        this.#spare = memory;
        return gather(words, repeat, (a, b) => a + b);
      },
    };
  }

  #owns({ x, dy }: ExactTerms): boolean {
    return this.#heap.owns(x) && (dy === null || this.#heap.owns(dy));
  }

  /** Whether the terms are read where they lie. */
  #isDirect(terms: ExactTerms, layout: Layout): boolean {
    return !masks(terms, layout) && !isHalf(layout.dtype) && this.#owns(terms);
  }

  /** Memory for one call: that of the last one, if it is over and large enough. @throws RangeError */
  #take(length: number): Float64Array {
    const spare = this.#spare;
    this.#spare = null;
    if (spare !== null && spare.length >= length) return spare;
    if (spare !== null) this.#heap.release(spare);
    return this.#heap.allocate('float64', length) as Float64Array;
  }

  /** Copies shifts to `place`, each `repeat` times; their pointer, or 0 for none. */
  #shift(place: Float64Array, shift: Float64Array | null, repeat: number): number {
    if (shift === null) return 0;
    spread(place, shift, repeat);
    return place.byteOffset;
  }

  /** The arrays in whole planes: all at once, or sample by sample through the staging arrays. */
  *#planes(terms: ExactTerms, layout: Layout): Generator<Part> {
    const { samples, plane, channels, channelsLast, dtype } = layout;
    const { x, dy } = terms;
    const bytes = numberBytes(dtype);
    if (this.#isDirect(terms, layout)) {
      const stride = channels * (channelsLast ? 1 : plane) * bytes;
      const at = { x: x.byteOffset, dy: dy === null ? 0 : dy.byteOffset };
      yield { ...at, channels, rows: samples, stride, sample: 0, channel: 0 };
      return;
    }
    const most = Math.min(channels, Math.floor(capacityOf(terms, layout) / plane));
    const [rows, values] = channelsLast ? [plane, 1] : [1, plane];
    for (let sample = 0; sample < samples; sample++) {
      for (let channel = 0; channel < channels; channel += most) {
        const k = Math.min(most, channels - channel);
        const start = sample * channels * plane + channel * values;
        const copy = (index: number, array: ExactTerms['x']) =>
          this.#copy(index, array, start, rows, channels * values, k * values, dtype);
        const at = { x: copy(0, x), dy: dy === null ? 0 : copy(1, dy) };
        const place = { channel, rows, values, place: sample * plane, places: values };
        this.#replace(at, terms, layout, { ...place, channels: k });
        yield { ...at, channels: k, rows: 1, stride: k * values * bytes, sample, channel };
      }
    }
  }

  /** The arrays in rows of `width` values. */
  *#rows(terms: ExactTerms, layout: Layout, width: number): Generator<Part> {
    const { x, dy } = terms;
    const bytes = numberBytes(layout.dtype);
    const rows = x.length / width;
    const isOwn = this.#isDirect(terms, layout);
    const most = isOwn ? rows : Math.floor(capacityOf(terms, layout) / width);
    for (let row = 0; row < rows; row += most) {
      const k = Math.min(most, rows - row);
      const copy = (index: number, array: ExactTerms['x']) =>
        isOwn
          ? array.byteOffset
          : this.#copy(index, array, row * width, 1, 0, k * width, layout.dtype);
      const at = { x: copy(0, x), dy: dy === null ? 0 : copy(1, dy) };
      const place = { channel: 0, channels: width, values: 1, place: row, places: 1 };
      this.#replace(at, terms, layout, { ...place, rows: k });
      yield { ...at, channels: width, rows: k, stride: width * bytes, sample: row, channel: 0 };
    }
  }

  /** Terms of 0 where the mask does not count: x is the shift there, and dy 0. */
  #replace(at: { x: number; dy: number }, terms: ExactTerms, layout: Layout, place: Place): void {
    if (!masks(terms, layout)) return;
    this.#blend ??= new Blend(this.#engine, this.#staging);
    const { channels, dtype } = layout;
    const zeros = this.#staging
      .channel(SLOTS.weight, channels, numberBytes(dtype))
      .fill(0, 0, channels);
    if (at.dy !== 0) this.#blend.run(at.dy, at.dy, 0, zeros, zeros, place, layout, 0);
    const shifts = this.#staging
      .channel(SLOTS.bias, channels, numberBytes(dtype))
      .fill(0, 0, channels);
    if (terms.shift !== null) shifts.set(terms.shift);
    this.#blend.run(at.x, at.x, 0, zeros, shifts, place, layout, 0);
  }

  /** Copies rows of an array to staging array `index`; its pointer. */
  #copy(
    index: number,
    array: ExactTerms['x'],
    start: number,
    rows: number,
    stride: number,
    width: number,
    dtype: DType,
  ): number {
    const half = isHalf(dtype);
    const staged = half ? this.#staging.halves(index, dtype) : this.#staging.tensor(index, array);
    const [count, length] = stride === width ? [1, rows * width] : [rows, width];
    for (let row = 0; row < count; row++) {
      const from = start + row * stride;
      staged.set(array.subarray(from, from + length), row * length);
    }
    const pointer = this.#staging.pointer(index);
    if (half) kernelsOf(dtype, this.#engine).widen(pointer, staged.byteOffset, rows * width);
    return pointer;
  }
}

/** Elements of a piece in a staging array. */
function capacityOf(terms: ExactTerms, layout: Layout): number {
  const { dtype } = layout;
  const shared = isHalf(dtype) || masks(terms, layout);
  return shared ? maskedCapacity(dtype) : STAGING_BYTES / numberBytes(dtype);
}

/** Whether the terms are those of a mask alone: dy of all places counts where they have outputs. */
function masks({ dy }: ExactTerms, { mask }: Layout): boolean {
  return mask != null && (dy === null || mask.zero);
}

/** Writes each of `values` `repeat` times. */
function spread(target: Float64Array, values: Float64Array, repeat: number): void {
  if (repeat === 1) target.set(values);
  else for (let i = 0; i < values.length; i++) target.fill(values[i], i * repeat, (i + 1) * repeat);
}

/** Combines every `repeat` numbers to one. */
function gather(
  values: Float64Array,
  repeat: number,
  combine: (a: number, b: number) => number,
): Float64Array {
  if (repeat === 1) return values;
  const gathered = new Float64Array(values.length / repeat);
  for (let i = 0; i < values.length; i++) {
    const place = Math.floor(i / repeat);
    gathered[place] = combine(gathered[place], values[i]);
  }
  return gathered;
}
