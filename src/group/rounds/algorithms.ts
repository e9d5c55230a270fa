/**
 * The collectives in rounds. docs/algorithms.md has their costs.
 *
 * | route | an array of n bytes among P members |
 * |---|---|
 * | none | nothing to send: a barrier, or an empty array |
 * | whole | one round: every member sends all of it and combines the frames of all |
 * | parts | two rounds: member m gets the m-th parts and combines them, then all gather the parts |
 * | pieces | after a round of headers alone, piece by piece in one of these ways |
 */

import { bufferOf } from '../../core/typed-arrays.js';
import type { Collective, CollectiveArray, CopiedArray } from '../transport.js';
import { copy } from './contributions.js';
import { kindOf } from './kinds.js';
import type { Span } from './parts.js';
import type { Exchange, Rounds } from './rounds.js';

export type Route = 'none' | 'whole' | 'parts' | 'pieces';

/** A sum of this many bytes takes one round, however many ranks there are. */
const ALWAYS_WHOLE_BYTES = 2048;
/** Further bytes that a rank sends if that saves a second round. */
const ROUND_BYTES = 8192;
/** Of two ranks each sends as much in either way, but adds up only half in parts: worth a round. */
const MOST_WHOLE_BYTES = 3 << 15;

export function routeOf(rounds: Rounds, { kind, input, list }: Collective): Route {
  const bytes = input.byteLength;
  const isWhole = bytes <= rounds.frames.capacity;
  // The usual first: short sums take less than a microsecond.
  if (isWhole && bytes > 0 && bytes <= ALWAYS_WHOLE_BYTES && kind === 'allReduce') return 'whole';
  if (list != null) return list.count === 0 ? 'none' : 'pieces';
  // A member with nothing to give may still have something to take.
  if (kind === 'gatherAll') return 'pieces';
  if (bytes === 0) return 'none';
  if (isWhole && (kind !== 'allReduce' || isBestWhole(rounds, bytes))) return 'whole';
  const isInParts = kind === 'allReduce' && rounds.parts !== null;
  return isInParts && bytes <= rounds.parts.capacity ? 'parts' : 'pieces';
}

/** True if a sum of `bytes` that a frame holds takes one round. */
export function isBestWhole({ parts, frames: { members } }: Rounds, bytes: number): boolean {
  // Every member sends everything to all; or a part to each, and the sum of its own part to all.
  const whole = bytes * (members - 1);
  const inParts = (2 * whole) / members;
  if (parts === null || bytes <= ALWAYS_WHOLE_BYTES) return true;
  return whole - inParts <= ROUND_BYTES && bytes <= MOST_WHOLE_BYTES;
}

export class CollectiveExchange implements Exchange {
  readonly rounds: Rounds;
  /** Its input may become a copy, see {@link keepInput}. */
  call: Collective;
  readonly count: number;
  readonly #round: (send: () => void) => Generator<void>;
  #failure: { readonly error: unknown } | null = null;

  /** @param round sends by its argument, and ends when all frames have come and none has failed */
  constructor(
    rounds: Rounds,
    call: Collective,
    count: number,
    round: (send: () => void) => Generator<void>,
  ) {
    this.rounds = rounds;
    this.call = call;
    this.count = count;
    this.#round = round;
  }

  round(send: () => void): Generator<void> {
    return this.#round(() => {
      this.end();
      send();
    });
  }

  take(take: () => void): void {
    try {
      take();
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  /**
   * Copies the input, unless no result goes over it before it was sent: outputs may overlap inputs,
   * and pieces go from the first to the last.
   */
  keepInput(): void {
    const { kind, input, output } = this.call;
    const { member } = this.rounds.frames;
    const distance = output.byteOffset - input.byteOffset;
    const isSafe = kind === 'allGather' ? distance === -member * input.byteLength : distance <= 0;
    const isApart = distance >= input.byteLength || -distance >= output.byteLength;
    if (isSafe || isApart || bufferOf(input) !== bufferOf(output)) return;
    this.take(() => {
      const copied = new (kindOf(input))(input.length);
      copied.set(input);
      this.call = { ...this.call, input: copied };
    });
  }

  /** Throws the error that a `take` has thrown. */
  end(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }
}

/** Sends all of `input`, or of a piece of it. */
export function sendWhole(rounds: Rounds, { kind, root }: Collective, input: CopiedArray): void {
  const { frames } = rounds;
  const bytes = input.byteLength;
  if (kind === 'broadcast' && frames.member !== root) {
    rounds.send(0, bytes);
    return;
  }
  copy(frames.ownArray(input, input.length), 0, input);
  rounds.send(bytes, bytes);
}

/** Puts the result of a round of whole arrays, or of the piece [from, to), into the output. */
export function takeWhole(rounds: Rounds, call: Collective, { from, to }: Span): void {
  const { kind, op, root, input, output } = call;
  const { frames } = rounds;
  const all = frames.contributions(input);
  const count = to - from;
  if (kind === 'allReduce') {
    const target = count === output.length ? output : output.subarray(from, to);
    all.combine(target as CollectiveArray, op, count);
  } else if (kind === 'allGather') {
    const { length } = input;
    for (let m = 0; m < frames.members; m++) copy(output, m * length + from, all.head(m, count));
  } else if (frames.member !== root || output !== input) {
    copy(output, from, all.head(root, count));
  }
}

/** Long arrays, piece by piece, in one round each. */
export function* inPieces(exchange: Exchange): Generator<void> {
  const { rounds, call, count } = exchange;
  const step = Math.floor(rounds.frames.capacity / call.input.BYTES_PER_ELEMENT);
  for (let from = 0; from < count; from += step) {
    const span = { from, to: Math.min(from + step, count) };
    yield* exchange.round(() => sendWhole(rounds, call, piece(call.input, span)));
    exchange.take(() => takeWhole(rounds, call, span));
  }
}

/** Gathers arrays whose lengths, in the headers that have come, may differ. */
export function* gatherAll(exchange: Exchange, lengths: readonly number[]): Generator<void> {
  const { rounds, call } = exchange;
  const { frames } = rounds;
  const kind = kindOf(call.input);
  const gathered = call.gathered as CopiedArray[];
  exchange.take(() => gathered.push(...lengths.map((length) => new kind(length))));
  const step = Math.floor(frames.capacity / call.input.BYTES_PER_ELEMENT);
  const longest = Math.max(...lengths);
  for (let from = 0; from < longest; from += step) {
    yield* exchange.round(() => sendWhole(rounds, call, call.input.subarray(from, from + step)));
    exchange.take(() => {
      gathered.forEach((target, m) => {
        const count = Math.min(target.length - from, step);
        if (count > 0) copy(target, from, frames.contributions(call.input).head(m, count));
      });
    });
  }
}

export function piece(array: CopiedArray, { from, to }: Span): CopiedArray {
  return to - from === array.length ? array : array.subarray(from, to);
}
