/**
 * All-reduces in parts: every member is sent its parts of all members' arrays, combines them, and
 * sends the results to all. docs/algorithms.md has the costs.
 */

import type { FloatArray } from '../../../core/dtype.js';
import { inPieces, isBestWhole, piece } from '../../rounds/algorithms.js';
import { copy } from '../../rounds/contributions.js';
import { averageWhole, Pieces, roomOf, STEP, writeParts } from '../../rounds/lists.js';
import { partLength, partOf, type Span } from '../../rounds/parts.js';
import type { Exchange, PartRounds } from '../../rounds/rounds.js';
import type { CollectiveArray } from '../../transport.js';

/** After every member has its parts of [from, to): combines them, and gathers the results. */
export function* gatherParts(exchange: Exchange, { from, to }: Span): Generator<void> {
  const { rounds, call } = exchange;
  const { frames } = rounds;
  const { op, output } = call;
  const own = partOf(to - from, frames.members, frames.member);
  const longest = partLength(to - from, frames.members) * output.BYTES_PER_ELEMENT;
  yield* exchange.round(() => {
    const sum = frames.ownArray(output, own.to - own.from) as CollectiveArray;
    frames.contributions(output).combine(sum, op, sum.length, true);
    rounds.send(sum.byteLength, longest);
  });
  exchange.take(() => {
    const all = frames.contributions(output);
    for (let m = 0; m < frames.members; m++) {
      const part = partOf(to - from, frames.members, m);
      copy(output, from + part.from, all.head(m, part.to - part.from));
    }
  });
}

/** A long all-reduce, or that of a list, piece by piece. */
export function combineInPieces(exchange: Exchange): Generator<void> {
  const { rounds, call } = exchange;
  const { frames } = rounds;
  if (call.list != null) {
    return frames.members === 2 ? averageWhole(exchange) : averageParts(exchange);
  }
  return isBestWhole(rounds, frames.capacity) ? inPieces(exchange) : sumParts(exchange);
}

/** Two rounds a piece. */
function* sumParts(exchange: Exchange): Generator<void> {
  const { rounds, call, count } = exchange;
  const { capacity, send } = rounds.parts as PartRounds;
  const step = Math.floor(capacity / call.input.BYTES_PER_ELEMENT);
  for (let from = 0; from < count; from += step) {
    const span = { from, to: Math.min(from + step, count) };
    yield* exchange.round(() => send(piece(call.input, span)));
    yield* gatherParts(exchange, span);
  }
}

/** Two rounds a piece: every member averages its part of it, and sends the part to all. */
function* averageParts(exchange: Exchange): Generator<void> {
  const { rounds, call } = exchange;
  const { members, member } = rounds.frames;
  const pieces = new Pieces(exchange, members * (roomOf(exchange) - STEP));
  const { list } = pieces;
  const kind = call.input.constructor as new (length: number) => FloatArray;
  const room = new kind(Math.min(pieces.length, list.length));
  for (let k = 0; k < pieces.count; k++) {
    const { from, count } = pieces.span(k);
    yield* exchange.round(() => {
      const own = room.subarray(0, count);
      list.read(own, from);
      rounds.parts?.send(own);
    });
    yield* exchange.round(() => {
      const part = partOf(count, members, member);
      const out = pieces.own(0, part.to - part.from);
      pieces.combine(out, 0);
      rounds.send(out.byteLength, partLength(count, members) * out.BYTES_PER_ELEMENT);
    });
    exchange.take(() => writeParts(pieces, k, members, 0));
  }
}
