/**
 * What a forward call leaves for its backward call, in the kernels' memory: kernels write it there
 * and find it there again, and nothing is copied. A layer has two of these, in turns; where calls
 * keep more of them waiting, the oldest moves to ordinary memory.
 */

import type { FloatArray } from '../core/dtype.js';
import { packedLength } from '../core/moments.js';
import { defaultKernels } from '../kernels/select.js';

/** What a rank sends to others in a forward call: packed moments, and a vote on blocks. */
export function wireLength(channels: number): number {
  return packedLength(channels) + 1;
}

/** Per-channel numbers of one forward call. */
export class Statistics {
  /** Count, means, M2 and a vote, one behind the other: what goes to other ranks. */
  readonly packed: Float64Array;
  readonly mean: Float64Array;
  readonly m2: Float64Array;
  readonly invstd: Float64Array;
  /** Holds the memory; its first number is not used, so that means lie at 16 bytes. */
  readonly #all: Float64Array;

  constructor(all: Float64Array, channels: number) {
    const wire = 1 + wireLength(channels);
    this.#all = all;
    this.packed = all.subarray(1, wire);
    this.mean = all.subarray(2, 2 + channels);
    this.m2 = all.subarray(2 + channels, 2 + 2 * channels);
    this.invstd = all.subarray(wire, wire + channels);
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

/** The {@link Kept} of one layer. */
export class Keeper {
  readonly #free: Kept[] = [];
  /** Those in use, the oldest first. */
  readonly #lent: { -readonly [K in keyof Kept]: Kept[K] }[] = [];

  /** One for `channels` channels with a copy of `weight`. @throws RangeError without memory, at first */
  take(channels: number, weight: FloatArray | null): Kept {
    if (this.#free.length + this.#lent.length === 0) {
      this.#free.push(allocate(channels, weight), allocate(channels, weight));
    }
    const kept = this.#free.pop() ?? this.#takeBack();
    if (weight !== null) kept.weight?.set(weight);
    this.#lent.push(kept);
    return kept;
  }

  /** Takes one back, whose numbers nobody needs any more. */
  give(kept: Kept): void {
    const place = this.#lent.indexOf(kept);
    if (place >= 0) this.#free.push(...this.#lent.splice(place, 1));
  }

  /** Takes the oldest one's memory, which gets some ordinary memory instead. */
  #takeBack(): Kept {
    const oldest = this.#lent.shift()!;
    const { statistics, weight } = oldest;
    oldest.statistics = statistics.copy();
    oldest.weight = weight?.slice() ?? null;
    return { statistics, weight };
  }
}

function allocate(channels: number, weight: FloatArray | null): Kept {
  const kernels = defaultKernels();
  const dtype = weight instanceof Float64Array ? 'float64' : 'float32';
  const numbers = kernels.allocate('float64', 1 + wireLength(channels) + channels);
  return {
    statistics: new Statistics(numbers, channels),
    weight: weight && kernels.allocate(dtype, channels),
  };
}
