/**
 * Per-channel sums of the pass that is running, and what goes to other ranks, in the kernels' memory, where kernels need no
 * copies. One for each thread: passes run one at a time, and nothing is kept in it between them.
 */

import { packedLength } from '../core/moments.js';
import type { Kernels } from '../kernels/kernels.js';
import { defaultKernels } from '../kernels/select.js';
import { VOTES } from './blocks.js';
import { GATHER_RANKS } from './exchange.js';

export interface Workspace {
  /** This rank's sums of dy and of dy * xhat, one behind the other. */
  readonly sums: Float64Array;
  readonly sumDy: Float64Array;
  readonly sumDyXhat: Float64Array;
  /** The group's, over its count. */
  readonly means: Float64Array;
  readonly meanDy: Float64Array;
  readonly meanDyXhat: Float64Array;
}

/** The workspace for `channels` channels; its contents are arbitrary. */
export function workspace(kernels: Kernels, channels: number): Workspace {
  return ownedBy(kernels).workspace(channels);
}

/** `length` numbers for what is sent or received; contents arbitrary. */
export function wireArray(kernels: Kernels, way: 'sent' | 'received', length: number) {
  return ownedBy(kernels)[way].take(length);
}

/**
 * Takes all the memory that passes over `channels` channels and `ranks` ranks need beside their
 * tensors, so that they do not run out of it between two collectives.
 * @throws RangeError when memory is exhausted
 */
export function reserve(channels: number, ranks: number): void {
  ownedBy(defaultKernels()).reserve(channels, ranks);
}

let owned: Rooms | null = null;

function ownedBy(kernels: Kernels): Rooms {
  if (owned?.kernels !== kernels) {
    owned?.release();
    owned = new Rooms(kernels);
  }
  return owned;
}

/** Room for this many numbers at first; it doubles from here. */
const LEAST = 512;
/** Channels that kernels are told to reserve memory for at first; it doubles from here. */
const LEAST_CHANNELS = 256;
/** Views that are remembered: models have few widths, programs that make them up have many. */
const MOST_VIEWS = 256;

/** One array that grows, and views of its beginning by length. */
class Room {
  readonly #kernels: Kernels;
  readonly #grown: () => void;
  readonly #views = new Map<number, Float64Array>();
  #array: Float64Array | null = null;

  constructor(kernels: Kernels, grown: () => void = () => {}) {
    this.#kernels = kernels;
    this.#grown = grown;
  }

  take(length: number): Float64Array {
    let view = this.#views.get(length);
    if (view === undefined) {
      this.reserve(length);
      if (this.#views.size >= MOST_VIEWS) this.#views.clear();
      view = (this.#array as Float64Array).subarray(0, length);
      this.#views.set(length, view);
    }
    return view;
  }

  reserve(length: number): void {
    if (this.#array === null || this.#array.length < length) this.#grow(length);
  }

  release(): void {
    if (this.#array !== null) this.#kernels.release(this.#array);
  }

  #grow(length: number): void {
    const larger = this.#kernels.allocate(
      'float64',
      2 ** Math.ceil(Math.log2(Math.max(length, LEAST))),
    );
    this.release();
    this.#array = larger;
    this.#views.clear();
    this.#grown();
  }
}

/** All rooms in the memory of some kernels. */
class Rooms {
  readonly kernels: Kernels;
  readonly sent: Room;
  readonly received: Room;
  readonly #workspaces = new Map<number, Workspace>();
  readonly #sums: Room;
  readonly #means: Room;
  /** Channels that the kernels have reserved memory for. */
  #channels = 0;

  constructor(kernels: Kernels) {
    const forget = () => this.#workspaces.clear();
    this.kernels = kernels;
    [this.sent, this.received] = [new Room(kernels), new Room(kernels)];
    this.#sums = new Room(kernels, forget);
    this.#means = new Room(kernels, forget);
  }

  reserve(channels: number, ranks: number): void {
    if (channels > this.#channels) {
      const room = 2 ** Math.ceil(Math.log2(Math.max(channels, LEAST_CHANNELS)));
      this.kernels.reserve(room);
      this.#channels = room;
    }
    this.#sums.reserve(2 * channels);
    this.#means.reserve(2 * channels);
    if (ranks === 1) return;
    const wire = packedLength(channels) + VOTES;
    this.sent.reserve(wire);
    this.received.reserve(ranks > GATHER_RANKS ? wire : wire * ranks);
  }

  workspace(channels: number): Workspace {
    let views = this.#workspaces.get(channels);
    if (views === undefined) {
      views = this.#view(channels);
      if (this.#workspaces.size >= MOST_VIEWS) this.#workspaces.clear();
      this.#workspaces.set(channels, views);
    }
    return views;
  }

  release(): void {
    for (const room of [this.sent, this.received, this.#sums, this.#means]) {
      room.release();
    }
  }

  #view(channels: number): Workspace {
    const sums = this.#sums.take(2 * channels);
    const means = this.#means.take(2 * channels);
    const part = (whole: Float64Array, i: number) =>
      whole.subarray(i * channels, (i + 1) * channels);
    return {
      sums,
      sumDy: part(sums, 0),
      sumDyXhat: part(sums, 1),
      means,
      meanDy: part(means, 0),
      meanDyXhat: part(means, 1),
    };
  }
}
