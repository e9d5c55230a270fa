/**
 * Numbers that a forward call leaves for its backward call, in the kernels' memory: kernels write
 * and read them there, and nothing is copied. A layer has memory for two calls; if more of them
 * wait for their backward calls, the oldest moves to ordinary memory.
 */

import type { ComputeDType, FloatArray } from '../../core/dtype.js';
import { type Moments, packedLength } from '../../core/moments.js';
import type { Kernels } from '../kernels.js';

/** Numbers that a rank sends in a forward call: packed moments, and a vote on blocks. */
export function wireLength(channels: number): number {
  return packedLength(channels) + 1;
}

/** The arrays of one {@link Statistics}. */
class Place {
  /** Numbers for other ranks: count, means, M2 and a vote. */
  readonly packed: Float64Array;
  readonly mean: Float64Array;
  readonly m2: Float64Array;
  readonly invstd: Float64Array;
  readonly weight: FloatArray;
  /** Holds the memory; its first number is not used, so that means lie at 16 bytes. */
  readonly #all: Float64Array;

  constructor(all: Float64Array, weight: FloatArray) {
    const channels = weight.length;
    const wire = 1 + wireLength(channels);
    this.#all = all;
    this.packed = all.subarray(1, wire);
    this.mean = all.subarray(2, 2 + channels);
    this.m2 = all.subarray(2 + channels, 2 + 2 * channels);
    this.invstd = all.subarray(wire, wire + channels);
    this.weight = weight;
  }

  static allocate(kernels: Kernels, channels: number, dtype: ComputeDType): Place {
    const numbers = kernels.allocate('float64', 1 + wireLength(channels) + channels);
    return new Place(numbers, kernels.allocate(dtype, channels));
  }

  /** Copies the numbers to ordinary memory. */
  copy(): Place {
    return new Place(this.#all.slice(), this.weight.slice());
  }
}

/** Per-channel numbers of one forward call; the group's, once its ranks have met. */
export class Statistics implements Moments {
  /** Values per channel. */
  count = 0;
  /** Channels of a block of the backward call, as the group has agreed. */
  channelsPerBlock = 0;
  /** Channels that the plain kernels handle; see extremes.ts. */
  extremes: readonly number[] | null = null;
  readonly #hasWeight: boolean;
  #place: Place;

  constructor(place: Place, weight: FloatArray | null) {
    this.#place = place;
    this.#hasWeight = weight !== null;
    if (weight !== null) place.weight.set(weight);
  }

  get packed(): Float64Array {
    return this.#place.packed;
  }

  get mean(): Float64Array {
    return this.#place.mean;
  }

  get m2(): Float64Array {
    return this.#place.m2;
  }

  get invstd(): Float64Array {
    return this.#place.invstd;
  }

  /** The weight at the forward call, which an optimizer may have changed since; null: 1. */
  get weight(): FloatArray | null {
    return this.#hasWeight ? this.#place.weight : null;
  }

  /** Leaves its memory to another call, and keeps a copy. */
  leave(): Place {
    const place = this.#place;
    this.#place = place.copy();
    return place;
  }

  /** Gives its memory back; it must not be used any more. */
  end(): Place {
    return this.#place;
  }
}

/** The {@link Statistics} of one layer. */
export class Keeper {
  readonly #kernels: Kernels;
  readonly #channels: number;
  readonly #dtype: ComputeDType;
  readonly #free: Place[] = [];
  /** Statistics in use that lie in the kernels' memory, the oldest first. */
  readonly #lent: Statistics[] = [];

  /** @param dtype of weights */
  constructor(kernels: Kernels, channels: number, dtype: ComputeDType) {
    this.#kernels = kernels;
    this.#channels = channels;
    this.#dtype = dtype;
  }

  /** Takes the memory, once. @throws RangeError when it is exhausted */
  reserve(): void {
    while (this.#free.length + this.#lent.length < 2) {
      this.#free.push(Place.allocate(this.#kernels, this.#channels, this.#dtype));
    }
  }

  /** Statistics with a copy of `weight`. @throws RangeError as `reserve`, at first */
  take(weight: FloatArray | null): Statistics {
    this.reserve();
    const place = this.#free.pop() ?? this.#lent.shift()!.leave();
    const statistics = new Statistics(place, weight);
    this.#lent.push(statistics);
    return statistics;
  }

  /** Takes back statistics that nothing needs any more; later calls have no effect. */
  give(statistics: Statistics): void {
    const at = this.#lent.indexOf(statistics);
    if (at < 0) return;
    this.#lent.splice(at, 1);
    this.#free.push(statistics.end());
  }
}
