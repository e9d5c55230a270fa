/**
 * Per-channel sums of the pass that is running, and numbers for other ranks, in the kernels'
 * memory, so that kernels need no copies. There is one for each thread: passes run one at a time,
 * and nothing is kept in it between them.
 */

import type { Kernels } from '../kernels.js';
import { wireLength } from './statistics.js';

/** Numbers of both kinds of sums, concatenated; or numbers for other ranks. */
export interface Scratch {
  readonly all: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** This rank's sums of dy and of dy * xhat, the group's over its count, two wires, and copies. */
const USES = ['sums', 'means', 'sent', 'received', 'x', 'dy'] as const;
type Use = (typeof USES)[number];

/** Memory for `length` numbers of one use; its contents are arbitrary. */
export function scratch(kernels: Kernels, use: Use, length: number): Scratch {
  return ownedBy(kernels).take(use, length);
}

/**
 * Takes all the memory that passes over `channels` channels need besides their tensors, so that
 * they do not run out of it between two collectives.
 * @param ranks whose moments are gathered; 1 for a rank alone
 * @throws RangeError when memory is exhausted
 */
export function reserve(kernels: Kernels, channels: number, ranks: number): void {
  ownedBy(kernels).reserve(channels, ranks);
}

const owned = new WeakMap<Kernels, Workspace>();
/** The workspace of the previous call; nearly always the only one. */
let last: Workspace | null = null;

function ownedBy(kernels: Kernels): Workspace {
  if (last?.kernels === kernels) return last;
  last = owned.get(kernels) ?? new Workspace(kernels);
  owned.set(kernels, last);
  return last;
}

/** Memory for this many numbers at first; it doubles from here. */
const LEAST = 512;
/** Channels that kernels are told to reserve memory for at first; it doubles from here. */
const LEAST_CHANNELS = 256;
/** Views that are remembered: models have few widths, programs that make them up have many. */
const MOST_VIEWS = 256;

/** One array that grows, and views of its beginning by length. */
class Growing {
  readonly #kernels: Kernels;
  readonly #views = new Map<number, Scratch>();
  #array: Float64Array | null = null;

  constructor(kernels: Kernels) {
    this.#kernels = kernels;
  }

  take(length: number): Scratch {
    return this.#views.get(length) ?? this.#view(length);
  }

  reserve(length: number): void {
    if (this.#array === null || this.#array.length < length) this.#grow(length);
  }

  #view(length: number): Scratch {
    this.reserve(length);
    const all = this.#array!.subarray(0, length);
    const half = length >> 1;
    const view = { all, first: all.subarray(0, half), second: all.subarray(half) };
    if (this.#views.size >= MOST_VIEWS) this.#views.clear();
    this.#views.set(length, view);
    return view;
  }

  #grow(length: number): void {
    const larger = this.#kernels.allocate(
      'float64',
      2 ** Math.ceil(Math.log2(Math.max(length, LEAST))),
    );
    if (this.#array !== null) this.#kernels.release(this.#array);
    this.#array = larger;
    this.#views.clear();
  }
}

/** All arrays in the memory of some kernels. */
class Workspace {
  readonly kernels: Kernels;
  readonly #growing: Record<Use, Growing>;
  /** Channels that the kernels have reserved memory for. */
  #channels = 0;

  constructor(kernels: Kernels) {
    this.kernels = kernels;
    const growing = USES.map((use) => [use, new Growing(kernels)]);
    this.#growing = Object.fromEntries(growing);
  }

  take(use: Use, length: number): Scratch {
    return this.#growing[use].take(length);
  }

  reserve(channels: number, ranks: number): void {
    if (channels > this.#channels) {
      const most = 2 ** Math.ceil(Math.log2(Math.max(channels, LEAST_CHANNELS)));
      this.kernels.reserve(most);
      this.#channels = most;
    }
    const { sums, means, sent, received } = this.#growing;
    sums.reserve(2 * channels);
    means.reserve(2 * channels);
    if (ranks === 1) return;
    sent.reserve(2 * channels);
    const wire = wireLength(channels);
    received.reserve(wire * ranks);
  }
}
