/**
 * What a forward call leaves for its backward call, in the kernels' memory: kernels write it there
 * and find it there again, and nothing is copied. A layer has two of these, in turns; where calls
 * keep more of them waiting, the oldest moves to ordinary memory.
 */

import type { ComputeDType, FloatArray } from '../core/dtype.js';
import { packedLength } from '../core/moments.js';
import type { Kernels } from './kernels.js';

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

type Lent = { -readonly [K in keyof Kept]: Kept[K] };
/** The memory of one {@link Kept}. */
type Place = { readonly statistics: Statistics; readonly weight: FloatArray };

/** The {@link Kept} of one layer. */
export class Keeper {
  readonly #channels: number;
  readonly #dtype: ComputeDType;
  readonly #kernels: Kernels;
  readonly #free: Place[] = [];
  /** Those in use and their memory, the oldest first. */
  readonly #lent: { kept: Lent; place: Place }[] = [];

  /** @param dtype of weights */
  constructor(kernels: Kernels, channels: number, dtype: ComputeDType) {
    this.#kernels = kernels;
    this.#channels = channels;
    this.#dtype = dtype;
  }

  /** Takes the memory, once. @throws RangeError where there is none */
  reserve(): void {
    if (this.#free.length + this.#lent.length > 0) return;
    this.#free.push(this.#allocate(), this.#allocate());
  }

  /** One with a copy of `weight`. @throws RangeError as `reserve`, at first */
  take(weight: FloatArray | null): Kept {
    this.reserve();
    const place = this.#free.pop() ?? this.#takeBack();
    if (weight !== null) place.weight.set(weight);
    const kept = { statistics: place.statistics, weight: weight && place.weight };
    this.#lent.push({ kept, place });
    return kept;
  }

  /** Takes one back that nothing needs any more. */
  give(kept: Kept): void {
    const at = this.#lent.findIndex((lent) => lent.kept === kept);
    if (at >= 0) this.#free.push(...this.#lent.splice(at, 1).map(({ place }) => place));
  }

  /** Takes the oldest one's memory, which gets some ordinary memory instead. */
  #takeBack(): Place {
    const { kept, place } = this.#lent.shift()!;
    kept.statistics = place.statistics.copy();
    kept.weight = kept.weight?.slice() ?? null;
    return place;
  }

  #allocate(): Place {
    const kernels = this.#kernels;
    const channels = this.#channels;
    const numbers = kernels.allocate('float64', 1 + wireLength(channels) + channels);
    return {
      statistics: new Statistics(numbers, channels),
      weight: kernels.allocate(this.#dtype, channels),
    };
  }
}
