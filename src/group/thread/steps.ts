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

import { reduceRanks } from '../reduce.js';
import type { Collective, CollectiveArray } from '../transport.js';
import { SLOT_BYTES } from './area.js';

/** Reads and writes of the slots of one group, as arrays of the collective's kind. */
export interface Slots {
  readonly members: number;
  /** This rank's place. */
  readonly member: number;
  /** The slot of `member` for `step`, viewed as elements of `like`'s kind. */
  view(member: number, step: number, like: CollectiveArray): CollectiveArray;
}

/** One collective, cut into steps. `index` counts its steps from 0, `step` those of the group. */
export interface Program {
  readonly steps: number;
  publish(slots: Slots, index: number, step: number): void;
  absorb(slots: Slots, index: number, step: number): void;
}

/** Elements all in all (ranks x elements) up to which one step beats two. */
const ONE_STEP_ELEMENTS = 8192;

/** The steps of `call` in a group of `members`. */
export function programOf(call: Collective, members: number): Program {
  switch (call.kind) {
    case 'allReduce':
      return members <= 2 || call.input.length * members <= ONE_STEP_ELEMENTS
        ? oneStepAllReduce(call)
        : twoStepAllReduce(call);
    case 'allGather':
      return allGather(call);
    case 'broadcast':
      return broadcast(call);
    default:
      return NO_DATA;
  }
}

const NO_DATA: Program = { steps: 1, publish: () => {}, absorb: () => {} };

/** Elements of a chunk. */
function chunkOf(array: CollectiveArray): number {
  return SLOT_BYTES / array.BYTES_PER_ELEMENT;
}

/** Chunks of an array; an empty one still takes a step, in which fingerprints are compared. */
function chunksOf(array: CollectiveArray): number {
  return Math.max(1, Math.ceil(array.length / chunkOf(array)));
}

/** Copies chunk `index` of the input into this rank's slot. */
function publishChunk(slots: Slots, input: CollectiveArray, index: number, step: number): void {
  const start = index * chunkOf(input);
  const end = Math.min(input.length, start + chunkOf(input));
  copy(slots.view(slots.member, step, input), 0, input, start, end);
}

/** target[at..] = source[start..end) */
function copy(
  target: CollectiveArray,
  at: number,
  source: CollectiveArray,
  start: number,
  end: number,
): void {
  // Below some 100 elements a loop is faster than the views that `set` wants.
  if (end - start <= 128) {
    for (let i = start; i < end; i++) target[at + i - start] = source[i];
  } else {
    target.set(source.subarray(start, end), at);
  }
}

/** All members' slots of a step. */
function allViews(slots: Slots, step: number, like: CollectiveArray): CollectiveArray[] {
  const views: CollectiveArray[] = [];
  for (let m = 0; m < slots.members; m++) views.push(slots.view(m, step, like));
  return views;
}

function oneStepAllReduce({ input, output, op }: Collective): Program {
  const chunk = chunkOf(input);
  return {
    steps: chunksOf(input),
    publish: (slots, index, step) => publishChunk(slots, input, index, step),
    absorb(slots, index, step) {
      const start = index * chunk;
      const length = Math.min(input.length - start, chunk);
      const target = start === 0 ? output : output.subarray(start);
      reduceRanks(target, allViews(slots, step, input), op, 0, length);
    },
  };
}

function twoStepAllReduce({ input, output, op }: Collective): Program {
  const chunk = chunkOf(input);
  const lengthOf = (index: number) => Math.min(input.length - (index >> 1) * chunk, chunk);
  const share = (length: number, member: number, members: number) =>
    Math.floor((length * member) / members);
  return {
    steps: 2 * chunksOf(input),
    publish(slots, index, step) {
      if ((index & 1) === 0) {
        publishChunk(slots, input, index >> 1, step);
        return;
      }
      // The sum goes into the other slot: peers may still read this one's first step.
      const [from, to] = [slots.member, slots.member + 1].map((m) =>
        share(lengthOf(index), m, slots.members),
      );
      const out = slots.view(slots.member, step, input);
      reduceRanks(out, allViews(slots, step - 1, input), op, from, to);
    },
    absorb(slots, index, step) {
      if ((index & 1) === 0) return;
      const start = (index >> 1) * chunk;
      for (let m = 0; m < slots.members; m++) {
        const from = share(lengthOf(index), m, slots.members);
        const to = share(lengthOf(index), m + 1, slots.members);
        copy(output, start + from, slots.view(m, step, input), from, to);
      }
    },
  };
}

function allGather({ input, output }: Collective): Program {
  const chunk = chunkOf(input);
  return {
    steps: chunksOf(input),
    publish: (slots, index, step) => publishChunk(slots, input, index, step),
    absorb(slots, index, step) {
      const start = index * chunk;
      const length = Math.min(input.length - start, chunk);
      for (let m = 0; m < slots.members; m++) {
        copy(output, m * input.length + start, slots.view(m, step, input), 0, length);
      }
    },
  };
}

function broadcast({ input, output, root }: Collective): Program {
  const chunk = chunkOf(input);
  return {
    steps: chunksOf(input),
    publish(slots, index, step) {
      if (slots.member === root) publishChunk(slots, input, index, step);
    },
    absorb(slots, index, step) {
      if (slots.member === root) return;
      const start = index * chunk;
      copy(output, start, slots.view(root, step, input), 0, Math.min(input.length - start, chunk));
    },
  };
}
