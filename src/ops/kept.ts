/**
 * What a forward call leaves for its backward call, in the kernels' memory: kernels write it there
 * and find it there again, and nothing is copied. A layer has two of these, in turns; where calls
 * keep more of them waiting, the oldest moves to ordinary memory.
 */

import type { DType, FloatArray } from '../core/dtype.js';
import { packedLength } from '../core/moments.js';
import type { Kernels } from '../kernels/kernels.js';
import { defaultKernels } from '../kernels/select.js';
import { VOTES } from './blocks.js';

/** Per-channel numbers of one forward call. */
export class Statistics {
  /** Count, means, M2 and votes, one behind the other: what goes to other ranks. */
  readonly packed: Float64Array;
  readonly mean: Float64Array;
  readonly m2: Float64Array;
  readonly invstd: Float64Array;
  /** Holds the memory; its first number is not used, so that means lie at 16 bytes. */
  readonly #all: Float64Array;

  constructor(all: Float64Array, channels: number) {
    const wire = 1 + packedLength(channels) + VOTES;
    this.#all = all;
    this.packed = all.subarray(1, wire);
    this.mean = all.subarray(2, 2 + channels);
    this.m2 = all.subarray(2 + channels, 2 + 2 * channels);
    this.invstd = all.subarray(wire, wire + channels);
  }

  static allocate(kernels: Kernels, channels: number): Statistics {
    const length = 1 + packedLength(channels) + VOTES + channels;
    return new Statistics(kernels.allocate('float64', length), channels);
  }

  /** The same numbers in ordinary memory. */
  copy(): Statistics {
    return new Statistics(this.#all.slice(), this.mean.length);
  }
}

/** Per-channel numbers of a forward call that outlive it. */
export interface Kept {
  readonly statistics: Statistics;
  /** The weight at the forward call, which an optimizer may have changed since; null: 1. */
  readonly weight: FloatArray | null;
}

/** How many of them a layer has in the kernels' memory. */
const OWN = 2;

/** The {@link Kept} of one layer. */
export class Keeper {
  readonly #channels: number;
  readonly #dtype: DType;
  readonly #free: Kept[] = [];
  /** Those in use, the oldest first. */
  readonly #lent: { -readonly [K in keyof Kept]: Kept[K] }[] = [];

  constructor(channels: number, dtype: DType) {
    this.#channels = channels;
    this.#dtype = dtype;
  }

  /** One with a copy of `weight`. @throws RangeError when there is no memory for the first one */
  take(weight: FloatArray | null): Kept {
    const kept = this.#free.pop() ?? this.#another(weight !== null);
    if (weight !== null) kept.weight?.set(weight);
    this.#lent.push(kept);
    return kept;
  }

  /** Takes one back, whose numbers nobody needs any more. */
  give(kept: Kept): void {
    const place = this.#lent.indexOf(kept);
    if (place < 0) return;
    this.#lent.splice(place, 1);
    this.#free.push(kept);
  }

  #another(withWeight: boolean): Kept {
    if (this.#lent.length < OWN) {
      try {
        return this.#allocate(withWeight);
      } catch (error) {
        if (this.#lent.length === 0) throw error;
      }
    }
    const oldest = this.#lent.shift()!;
    const { statistics, weight } = oldest;
    oldest.statistics = statistics.copy();
    oldest.weight = weight?.slice() ?? null;
    return { statistics, weight };
  }

  #allocate(withWeight: boolean): Kept {
    const kernels = defaultKernels();
    const dtype = this.#dtype === 'float64' ? 'float64' : 'float32';
    return {
      statistics: Statistics.allocate(kernels, this.#channels),
      weight: withWeight ? kernels.allocate(dtype, this.#channels) : null,
    };
  }
}
