/**
 * Per-channel numbers of the pass that is running, in the kernels' memory, where kernels need no
 * copies. One for each thread: passes run one at a time, and nothing is kept in it between them.
 */

import type { Kernels } from '../kernels/kernels.js';
import { defaultKernels } from '../kernels/select.js';

export interface Workspace {
  readonly mean: Float64Array;
  readonly m2: Float64Array;
  readonly invstd: Float64Array;
  readonly sumDy: Float64Array;
  readonly sumDyXhat: Float64Array;
  readonly meanDy: Float64Array;
  readonly meanDyXhat: Float64Array;
}

const ARRAYS = 7;

/** Room for this many channels at first; it doubles from here. */
const LEAST_CHANNELS = 256;

let owner: Kernels | null = null;
let memory: Float64Array = new Float64Array(0);
let capacity = 0;
let channelsOf = -1;
let views: Workspace;

/** The workspace for `channels` channels; its contents are arbitrary. */
export function workspace(kernels: Kernels, channels: number): Workspace {
  if (channels !== channelsOf || kernels !== owner) view(kernels, channels);
  return views;
}

/**
 * Takes all the memory that passes over `channels` channels need beside their tensors, so that
 * they do not run out of it between two collectives.
 * @throws RangeError when memory is exhausted
 */
export function reserve(channels: number): void {
  const kernels = defaultKernels();
  if (channels > capacity || kernels !== owner) enlarge(kernels, channels);
}

function view(kernels: Kernels, channels: number): void {
  if (channels > capacity || kernels !== owner) enlarge(kernels, channels);
  const part = (i: number) => memory.subarray(i * capacity, i * capacity + channels);
  const [mean, m2, invstd, sumDy, sumDyXhat, meanDy, meanDyXhat] = Array.from(
    { length: ARRAYS },
    (_, i) => part(i),
  );
  views = { mean, m2, invstd, sumDy, sumDyXhat, meanDy, meanDyXhat };
  channelsOf = channels;
}

function enlarge(kernels: Kernels, channels: number): void {
  const room = 2 ** Math.ceil(Math.log2(Math.max(channels, LEAST_CHANNELS)));
  kernels.reserve(room);
  const larger = kernels.allocate('float64', ARRAYS * room);
  owner?.release(memory);
  owner = kernels;
  memory = larger;
  capacity = room;
  // The views are of the old one.
  channelsOf = -1;
}
