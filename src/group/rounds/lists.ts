/**
 * Collectives of many arrays that are taken for one, and in shared memory long all-reduces as well.
 * The elements of a piece are read from their arrays and written back to them, and no array is
 * copied together with others. docs/algorithms.md has the costs.
 */

import type { FloatArray } from '../../core/dtype.js';
import { averageRanks } from '../average.js';
import type { ArrayList, Collective } from '../transport.js';
import { Contributions, copyPart } from './contributions.js';
import { partOf } from './parts.js';
import type { Exchange } from './rounds.js';

/**
 * Bytes of a piece in shared memory: the slots of all members and the arrays' own lines stay in the
 * second-level cache from the reading to the writing. Measured: docs/experiments.md.
 */
const PIECE_BYTES = 1 << 17;
/** Bytes that WebAssembly may write past the end. */
const MARGIN = 64;
/** Elements that pieces are multiples of, so that all parts begin where WebAssembly may. */
export const STEP = 16;

/** The further rounds of a collective with a list, where all of it goes to all. */
export function exchangeList(exchange: Exchange): Generator<void> {
  return exchange.call.kind === 'broadcast' ? broadcastList(exchange) : averageWhole(exchange);
}

/** The pieces that a list moves through, and the places of their numbers in frames. */
export class Pieces {
  readonly list: ArrayList;
  readonly length: number;
  readonly #exchange: Exchange;
  readonly #like: FloatArray;

  /** @param most elements of a piece that a frame has room for */
  constructor(exchange: Exchange, most: number) {
    const { call } = exchange;
    this.list = call.list ?? listOf(call, exchange.count);
    this.length = Math.max(STEP, Math.floor(most / STEP) * STEP);
    this.#exchange = exchange;
    this.#like = call.input as FloatArray;
  }

  get count(): number {
    return Math.ceil(this.list.length / this.length);
  }

  /** Elements of piece `k`, and where it begins. */
  span(k: number): { from: number; count: number } {
    const from = k * this.length;
    return { from, count: Math.min(this.length, this.list.length - from) };
  }

  /** `count` elements from `at` on, of the frame that is sent next. */
  own(at: number, count: number): FloatArray {
    const { frames } = this.#exchange.rounds;
    return frames.ownArray(this.#like, at + count).subarray(at) as FloatArray;
  }

  /** `count` elements from `at` on, of the frame that `member` has sent. */
  sent(member: number, at: number, count: number): FloatArray {
    const { frames } = this.#exchange.rounds;
    const all = frames.contributions(this.#like).views[member] as FloatArray;
    return all.subarray(at, at + count);
  }

  /** Combines the members' elements from `at` on into `out`, which lies in the next frame. */
  combine(out: FloatArray, at: number): void {
    if (out.length === 0) return;
    const { rounds, call } = this.#exchange;
    const { frames } = rounds;
    const { views, reduce } = frames.contributions(this.#like);
    const slots = (views as readonly FloatArray[]).map((view) => view.subarray(at));
    if (call.by == null) {
      new Contributions(slots, out, out, reduce).combine(out, call.op, out.length, true);
      return;
    }
    const { weights, divisor } = call.by;
    if (reduce === null) {
      averageRanks(out, slots, weights, divisor);
      return;
    }
    // The weights go to the end of the own frame, into WebAssembly's memory.
    const place = frames.ownPayload(frames.capacity & ~7);
    const end = place.byteOffset + place.byteLength - weights.byteLength;
    const here = new Float64Array(place.buffer, end, weights.length);
    here.set(weights);
    reduce.average(out, slots, here, divisor);
  }
}

/** The arrays of an all-reduce, as a list of one. They may be detached by now. */
function listOf({ input, output }: Collective, length: number): ArrayList {
  return {
    count: length,
    length,
    read: (target, from) => copyPart(target, 0, input, from, target.length),
    write: (source, from) => copyPart(output, from, source, 0, source.length),
  };
}

/** Elements that a frame has room for beside the weights, in at most `most` bytes. */
export function roomOf(
  { rounds: { frames }, call }: Exchange,
  most = Number.POSITIVE_INFINITY,
): number {
  const bytes = frames.capacity - MARGIN - 8 * frames.members - 8;
  return Math.min(bytes, most) / call.input.BYTES_PER_ELEMENT;
}

/** A long all-reduce, or that of a list, in shared memory. */
export function* combineLong(exchange: Exchange): Generator<void> {
  const { members } = exchange.rounds.frames;
  const room = roomOf(exchange) - STEP;
  const most = Math.min(room / (1 + 1 / members), roomOf(exchange, PIECE_BYTES)) - STEP;
  yield* combineShared(exchange, most);
}

/**
 * In shared memory, one round a piece: a frame holds this member's piece k and, after it, the
 * results of its part of piece k - 1. So nobody waits for a round that only gathers.
 * @param most elements of a piece
 * @param isSent true if the first piece was sent in the round before
 */
export function* combineShared(exchange: Exchange, most: number, isSent = false): Generator<void> {
  const { rounds } = exchange;
  const { members, member } = rounds.frames;
  const pieces = new Pieces(exchange, most);
  const { list, count, length } = pieces;
  for (let k = isSent ? 1 : 0; k <= count; k++) {
    // After the last piece the room of pieces is free.
    const at = k < count ? length : 0;
    yield* exchange.round(() => {
      if (k > 0) {
        const part = partOf(pieces.span(k - 1).count, members, member);
        pieces.combine(pieces.own(at, part.to - part.from), part.from);
      }
      if (k < count) {
        const piece = pieces.span(k);
        list.read(pieces.own(0, piece.count), piece.from);
      }
      rounds.send(0, 0);
    });
    if (k > 0) exchange.take(() => writeParts(pieces, k - 1, members, at));
  }
}

/** Writes the results of piece `k`, each member's part from `at` on, to the list. */
export function writeParts(pieces: Pieces, k: number, members: number, at: number): void {
  const { from, count } = pieces.span(k);
  for (let m = 0; m < members; m++) {
    const part = partOf(count, members, m);
    const length = part.to - part.from;
    if (length > 0) pieces.list.write(pieces.sent(m, at, length), from + part.from);
  }
}

/** One round a piece: every member sends it to all, and averages all of it. */
export function* averageWhole(exchange: Exchange): Generator<void> {
  const { rounds } = exchange;
  const pieces = new Pieces(exchange, roomOf(exchange));
  for (let k = 0; k < pieces.count; k++) {
    const { from, count } = pieces.span(k);
    yield* exchange.round(() => {
      const own = pieces.own(0, count);
      pieces.list.read(own, from);
      rounds.send(own.byteLength, own.byteLength);
    });
    exchange.take(() => {
      const out = pieces.own(0, count);
      pieces.combine(out, 0);
      pieces.list.write(out, from);
    });
  }
}

/** One round a piece: the root's goes to all. */
function* broadcastList(exchange: Exchange): Generator<void> {
  const { rounds, call } = exchange;
  const isRoot = rounds.frames.member === call.root;
  const pieces = new Pieces(exchange, roomOf(exchange));
  for (let k = 0; k < pieces.count; k++) {
    const { from, count } = pieces.span(k);
    const bytes = count * call.input.BYTES_PER_ELEMENT;
    yield* exchange.round(() => {
      if (isRoot) pieces.list.read(pieces.own(0, count), from);
      rounds.send(isRoot ? bytes : 0, bytes);
    });
    if (!isRoot) exchange.take(() => pieces.list.write(pieces.sent(call.root, 0, count), from));
  }
}
