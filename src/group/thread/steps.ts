/**
 * The collectives as steps. In each step a rank publishes some data in its slot, waits until all
 * members have, and absorbs what they published. Arrays longer than a slot go in chunks.
 *
 * | collective | steps a chunk | bytes read by each rank, n bytes a chunk, P ranks |
 * |---|---|---|
 * | barrier, raise | 1 | 0 |
 * | broadcast | 1 | n |
 * | all-gather | 1 | P n |
 * | all-reduce, short or of two ranks | 1: every rank sums everything | P n |
 * | all-reduce, long | 2: every rank sums its share, then gathers the shares | 2 n |
 */

import { REDUCE_STEP } from '../reducer.js';
import type { Collective, CollectiveArray } from '../transport.js';
import { SLOT_BYTES } from './area.js';
import type { Slots } from './slots.js';

/**
 * One way to run a collective. `index` counts the steps of a call from 0, `step` those of the
 * group. One object for all calls: this is on the path of every collective, however small.
 */
export interface Program {
  steps(call: Collective): number;
  publish(slots: Slots, call: Collective, index: number, step: number): void;
  absorb(slots: Slots, call: Collective, index: number, step: number): void;
}

/** Elements all in all (ranks x elements) up to which one step beats two. */
const ONE_STEP_ELEMENTS = 8192;

/** How a group of `members` runs `call`. */
export function programOf(call: Collective, members: number): Program {
  switch (call.kind) {
    case 'allReduce':
      return members <= 2 || call.input.length * members <= ONE_STEP_ELEMENTS
        ? oneStepAllReduce
        : twoStepAllReduce;
    case 'allGather':
      return allGather;
    case 'broadcast':
      return broadcast;
    default:
      return noData;
  }
}

const noData: Program = { steps: () => 1, publish: () => {}, absorb: () => {} };

/** Elements of a chunk. */
function chunkOf(array: CollectiveArray): number {
  return array instanceof Float64Array ? SLOT_BYTES / 8 : SLOT_BYTES / 4;
}

/** Chunks of an array; an empty one still takes a step, in which fingerprints are compared. */
function chunksOf({ input }: Collective): number {
  const chunk = chunkOf(input);
  return input.length <= chunk ? 1 : Math.ceil(input.length / chunk);
}

/** Elements of chunk `index`. */
function lengthOf({ input }: Collective, index: number): number {
  const chunk = chunkOf(input);
  return Math.min(input.length - index * chunk, chunk);
}

/** Copies chunk `index` of the input into this rank's slot. */
function publishChunk(slots: Slots, call: Collective, index: number, step: number): void {
  const { input } = call;
  const start = index * chunkOf(input);
  const length = lengthOf(call, index);
  const slot = slots.view(step, slots.member, input, length);
  copy(slot, 0, length === input.length ? input : input.subarray(start, start + length));
}

/** Up to these many elements a loop is faster than a call of `set`; behind them it is slower. */
const SHORT = 64;

/** target[at..] = source */
function copy(target: CollectiveArray, at: number, source: CollectiveArray): void {
  if (source.length > SHORT) target.set(source, at);
  else for (let i = 0; i < source.length; i++) target[at + i] = source[i];
}

const oneStepAllReduce: Program = {
  steps: chunksOf,
  publish: publishChunk,
  absorb(slots, call, index, step) {
    const { input, output, op } = call;
    const length = lengthOf(call, index);
    if (length === 0) return;
    // Into this rank's other slot: all have arrived, so nobody reads the step before any more.
    const sum = slots.view(step + 1, slots.member, input, length);
    slots.reduce(sum, slots.all(step, input), op, 0, length);
    copy(output, index * chunkOf(input), sum);
  },
};

/** Where the share of `member` begins, a multiple of REDUCE_STEP but for the end. */
function shareOf(length: number, member: number, members: number): number {
  if (member === members) return length;
  return Math.floor((length * member) / members / REDUCE_STEP) * REDUCE_STEP;
}

const twoStepAllReduce: Program = {
  steps: (call) => 2 * chunksOf(call),
  publish(slots, call, index, step) {
    if ((index & 1) === 0) {
      publishChunk(slots, call, index >> 1, step);
      return;
    }
    // The sum goes into the other slot: peers may still read this one's first step.
    const { input, op } = call;
    const { member, members } = slots;
    const length = lengthOf(call, index >> 1);
    const [from, to] = [shareOf(length, member, members), shareOf(length, member + 1, members)];
    slots.reduce(slots.all(step, input)[member], slots.all(step - 1, input), op, from, to);
  },
  absorb(slots, call, index, step) {
    if ((index & 1) === 0) return;
    const { input, output } = call;
    const start = (index >> 1) * chunkOf(input);
    const length = lengthOf(call, index >> 1);
    const all = slots.all(step, input);
    for (let m = 0; m < slots.members; m++) {
      const from = shareOf(length, m, slots.members);
      const to = shareOf(length, m + 1, slots.members);
      output.set(all[m].subarray(from, to), start + from);
    }
  },
};

const allGather: Program = {
  steps: chunksOf,
  publish: publishChunk,
  absorb(slots, call, index, step) {
    const { input, output } = call;
    const start = index * chunkOf(input);
    const length = lengthOf(call, index);
    for (let m = 0; m < slots.members; m++) {
      copy(output, m * input.length + start, slots.view(step, m, input, length));
    }
  },
};

const broadcast: Program = {
  steps: chunksOf,
  publish(slots, call, index, step) {
    if (slots.member === call.root) publishChunk(slots, call, index, step);
  },
  absorb(slots, call, index, step) {
    const { input, output, root } = call;
    if (slots.member === root) return;
    const slot = slots.view(step, root, input, lengthOf(call, index));
    copy(output, index * chunkOf(input), slot);
  },
};
