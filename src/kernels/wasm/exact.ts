/**
 * Exact sums by assembly/: atoms of planes go into a matrix in the kernels' memory, a row for each
 * sample, whose columns are summed; single values are summed in place. Foreign arrays pass through
 * the staging arrays in whole planes. Part of `syncbn/reproducible`.
 */

import type { DType } from '../../core/dtype.js';
import { valuesOfWords } from '../../core/exact-sum.js';
import type { Layout } from '../../core/layout.js';
import { isValues, exactSums as plainExactSums } from '../atoms.js';
import type { ExactSums, ExactTerms } from '../kernels.js';
import { Blend, type Place } from './blend.js';
import type { Engine, Stage } from './engine.js';
import { type ExactStages, exactStagesOf } from './exact-stages.js';
import type { Heap } from './heap.js';
import { ofPositions, spread } from './positions.js';
import { isHalf, maskedCapacity, SLOTS, STAGING_BYTES, type Staging } from './staging.js';
import { kernelsOf } from './types.js';
import { numberBytes } from './variant.js';

/**
 * Visits part of the arrays, as a stage's arguments describe it; `sample` (or row of values) and
 * `channel` are the first ones. A function and numbers: generators and objects cost a small layer a
 * third of its time.
 */
type Visit = (
  x: number,
  dy: number,
  channels: number,
  rows: number,
  stride: number,
  sample: number,
  channel: number,
) => void;

/** Memory of the kernels for one call. */
interface Room {
  readonly memory: Float64Array;
  readonly bounds: Float64Array;
  /** Two for each bound, and one number more. */
  readonly words: Float64Array;
  readonly shifts: Float64Array;
  readonly reaches: Float64Array;
  /** Pointer to as many numbers more. */
  readonly least: number;
  /** Pointer to a matrix of atoms, and the number of atoms that it has room for. */
  readonly atoms: number;
  readonly most: number;
}

export class Exact {
  readonly #engine: Engine;
  readonly #heap: Heap;
  readonly #staging: Staging;
  /** By bytes of an element. */
  readonly #stages: Partial<Record<4 | 8, ExactStages>> = {};
  /** Made for the first mask. */
  #blend: Blend | null = null;
  /** Memory of an earlier call, which the next one may use. */
  #spare: Room | null = null;

  constructor(engine: Engine, heap: Heap, staging: Staging) {
    this.#engine = engine;
    this.#heap = heap;
    this.#staging = staging;
  }

  sums(terms: ExactTerms, layout: Layout): ExactSums {
    const { samples, plane, channels, channelsLast } = layout;
    // Positions are channels, or the values of a short plane one by one.
    const repeat = isValues(layout) && !channelsLast ? plane : 1;
    const longest = isValues(layout) ? channels * repeat : plane;
    const tooLong = !this.#isDirect(terms, layout) && longest > capacityOf(terms, layout);
    const isCut = repeat > 1 && masks(terms, layout);
    if (terms.precise || samples * plane === 0 || tooLong || isCut) {
      return plainExactSums(terms, layout);
    }
    const bytes = numberBytes(layout.dtype);
    this.#stages[bytes] ??= exactStagesOf(bytes, this.#engine);
    const stages = this.#stages[bytes];
    return isValues(layout)
      ? this.#ofValues(terms, layout, repeat, stages)
      : this.#ofPlanes(terms, layout, stages);
  }

  #ofPlanes(terms: ExactTerms, layout: Layout, stages: ExactStages): ExactSums {
    const { samples, plane, channels, channelsLast } = layout;
    const columns = 2 * channels;
    const room = this.#take(columns, channels, columns * samples);
    const mean = this.#perPosition(room.shifts, terms.shift, 1);
    const run = channelsLast ? stages.rowAtoms : stages.planeAtoms;
    this.#eachPlanes(terms, layout, (x, dy, k, rows, stride, sample, channel) => {
      const at = room.atoms + 8 * (sample * columns + channel);
      const shift = mean && mean + 8 * channel;
      run(0, at, dy, x, shift, 0, k, rows, stride, plane, channels);
    });
    const [bounds, words] = [room.bounds.byteOffset, room.words.byteOffset];
    stages.boundAtoms(bounds, room.atoms, samples, columns);
    return this.#sums(room, stages, () => {
      stages.addAtoms(words, bounds, room.atoms, samples, columns);
    });
  }

  /** Channels-last samples and channels-first rows are rows of `repeat` positions a channel. */
  #ofValues(terms: ExactTerms, layout: Layout, repeat: number, stages: ExactStages): ExactSums {
    const positions = layout.channels * repeat;
    const room = this.#take(2 * positions, positions, 0);
    const { bounds, words } = room;
    const [first, second] = [bounds.byteOffset, words.byteOffset];
    const shift = this.#perPosition(room.shifts, terms.shift, repeat);
    const reach = this.#perPosition(room.reaches, terms.reach ?? null, repeat);
    // Only if all rows go at once.
    const least = this.#isDirect(terms, layout) ? room.least : 0;
    const each = (stage: Stage) => {
      this.#eachRows(terms, layout, positions, (x, dy, _, rows, stride) => {
        stage(first, second, dy, x, shift, reach, positions, rows, stride, 1, positions, least);
      });
    };
    bounds.fill(0);
    each(stages.valueBounds);
    const sums = this.#sums(room, stages, () => {
      words.fill(0);
      each(stages.valueWords);
    });
    return repeat === 1 ? sums : ofPositions(sums, repeat);
  }

  /** The sums whose words `add` writes. */
  #sums(room: Room, { putValues }: ExactStages, add: () => void): ExactSums {
    return {
      bounds: room.bounds,
      words: (bounds) => {
        if (bounds !== room.bounds) room.bounds.set(bounds);
        add();
        this.#spare = room;
        return room.words;
      },
      values: (values, words, bounds) => {
        const heap = this.#heap;
        if (heap.owns(values) && heap.owns(words) && heap.owns(bounds)) {
          putValues(values.byteOffset, words.byteOffset, bounds.byteOffset, values.length);
        } else {
          valuesOfWords(values, words, bounds);
        }
      },
    };
  }

  /** True if the terms are read in place. */
  #isDirect(terms: ExactTerms, layout: Layout): boolean {
    const { x, dy } = terms;
    if (masks(terms, layout) || isHalf(layout.dtype)) return false;
    return this.#heap.owns(x) && (dy === null || this.#heap.owns(dy));
  }

  /** Memory for a call: the previous call's, if it is over and large enough. @throws RangeError */
  #take(columns: number, shifts: number, atoms: number): Room {
    const spare = this.#spare;
    this.#spare = null;
    if (spare?.bounds.length === columns && spare.shifts.length === shifts) {
      if (spare.most >= atoms) return spare;
    }
    const end = 3 * columns + 1;
    const length = end + 3 * shifts;
    let memory = spare?.memory ?? null;
    if (memory === null || memory.length < length + atoms) {
      if (memory !== null) this.#heap.release(memory);
      memory = this.#heap.allocate('float64', length + atoms) as Float64Array;
    }
    return {
      memory,
      bounds: memory.subarray(0, columns),
      words: memory.subarray(columns, end),
      shifts: memory.subarray(end, end + shifts),
      reaches: memory.subarray(end + shifts, end + 2 * shifts),
      least: memory.byteOffset + 8 * (end + 2 * shifts),
      atoms: memory.byteOffset + 8 * length,
      most: memory.length - length,
    };
  }

  /** Pointer to numbers of the channels, each `repeat` times, at `place` if need be; 0 for none. */
  #perPosition(place: Float64Array, values: Float64Array | null, repeat: number): number {
    if (values === null) return 0;
    if (repeat === 1 && this.#heap.owns(values)) return values.byteOffset;
    spread(place, values, repeat);
    return place.byteOffset;
  }

  /** Visits the arrays in whole planes: all at once, or sample by sample through staging arrays. */
  #eachPlanes(terms: ExactTerms, layout: Layout, visit: Visit): void {
    const { samples, plane, channels, channelsLast, dtype } = layout;
    const { x, dy } = terms;
    const bytes = numberBytes(dtype);
    if (this.#isDirect(terms, layout)) {
      const stride = channels * (channelsLast ? 1 : plane) * bytes;
      visit(x.byteOffset, dy === null ? 0 : dy.byteOffset, channels, samples, stride, 0, 0);
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
        visit(at.x, at.dy, k, 1, k * values * bytes, sample, channel);
      }
    }
  }

  /** Visits the arrays in rows of `width` values. */
  #eachRows(terms: ExactTerms, layout: Layout, width: number, visit: Visit): void {
    const { x, dy } = terms;
    const { dtype } = layout;
    const stride = width * numberBytes(dtype);
    const rows = x.length / width;
    if (this.#isDirect(terms, layout)) {
      visit(x.byteOffset, dy === null ? 0 : dy.byteOffset, width, rows, stride, 0, 0);
      return;
    }
    const most = Math.floor(capacityOf(terms, layout) / width);
    for (let row = 0; row < rows; row += most) {
      const k = Math.min(most, rows - row);
      const copy = (index: number, array: ExactTerms['x']) =>
        this.#copy(index, array, row * width, 1, 0, k * width, dtype);
      const at = { x: copy(0, x), dy: dy === null ? 0 : copy(1, dy) };
      const place = { channel: 0, channels: width, values: 1, place: row, places: 1 };
      this.#replace(at, terms, layout, { ...place, rows: k });
      visit(at.x, at.dy, width, k, stride, row, 0);
    }
  }

  /** Makes terms 0 for values that do not count: x becomes the shift, and dy 0. */
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

  /** Copies rows of an array to staging array `index`; returns its pointer. */
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

/** True if only the mask's values are terms: dy of all places counts if all have outputs. */
function masks({ dy }: ExactTerms, { mask }: Layout): boolean {
  return mask != null && (dy === null || mask.zero);
}
