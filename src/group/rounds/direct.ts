/**
 * Combinations of arrays that lie in memory which threads share, such as the kernels': each member
 * reads its part of the other members' arrays where they lie, and writes the results to its own,
 * where the others fetch them. So nothing but blocks on their way to WebAssembly is copied twice.
 *
 * Members show one another their memory by messages, which Node takes out of their queue at once;
 * the frames say which memory and where. A member that reads another's array must be sure that the
 * call has not failed there, since its program then goes on: two rounds end the call. A member that
 * has seen the second of another knows that this one had not failed when all had read.
 */

import type { FloatArray } from '../../core/dtype.js';
import type { ArrayList } from '../transport.js';
import { copyPart } from './contributions.js';
import { combineSlots, listOf, roomOf, setDirect } from './lists.js';
import { Neighbours, type Seen, threadsSeeMemory } from './neighbours.js';
import { partOf, type Span } from './parts.js';
import type { Exchange } from './rounds.js';
import { SharedRounds } from './shared-rounds.js';

/** Least bytes of a list: two or three rounds come before its numbers. */
const LEAST_BYTES = 1 << 20;
/** Bytes of a piece. */
const PIECE_BYTES = 1 << 19;
/** Bytes that go through WebAssembly at a time, for each member. */
const BLOCK_BYTES = 1 << 15;
/** Elements that blocks are multiples of. */
const STEP = 16;

/** Lets collectives of threads go this way, on Node. */
export function useDirect(): void {
  if (threadsSeeMemory()) setDirect(combineDirect);
}

const known = new WeakMap<SharedRounds, Neighbours>();

function* combineDirect(exchange: Exchange): Generator<void, boolean> {
  const { rounds, call } = exchange;
  const list = call.list ?? listOf(call);
  const size = call.input.BYTES_PER_ELEMENT;
  if (!(rounds instanceof SharedRounds) || list.length * size < LEAST_BYTES) return false;
  const arrays = yield* neighboursOf(rounds).arraysOf(exchange, list);
  if (arrays === null) return false;
  yield* inPlace(exchange, list, arrays);
  return true;
}

function neighboursOf(rounds: SharedRounds): Neighbours {
  let neighbours = known.get(rounds);
  if (neighbours === undefined) {
    neighbours = new Neighbours(rounds);
    known.set(rounds, neighbours);
    rounds.onClose = () => neighbours?.close();
  }
  return neighbours;
}

function* inPlace(exchange: Exchange, list: ArrayList, seen: readonly Seen[]): Generator<void> {
  const { rounds, call } = exchange;
  const { members, member } = rounds.frames;
  const length = Math.floor(PIECE_BYTES / call.input.BYTES_PER_ELEMENT);
  const send = () => rounds.send(0, 0);
  for (let from = 0; from < list.length; from += length) {
    const count = Math.min(length, list.length - from);
    const part = (m: number): Span => {
      const span = partOf(count, members, m);
      return { from: from + span.from, to: from + span.to };
    };
    yield* exchange.round(() => {
      combinePart(exchange, list, seen, part(member));
      send();
    });
    exchange.take(() => {
      seen.forEach(({ results }, m) => {
        if (m === member) return;
        within(list.starts, results, part(m), (i, first, last) => {
          copyPart(seen[member].results[i], first, results[i], first, last - first);
        });
      });
    });
  }
  yield* exchange.round(send);
  yield* exchange.round(send);
}

/** Combines this member's part, block by block. */
function combinePart(
  exchange: Exchange,
  list: ArrayList,
  seen: readonly Seen[],
  { from, to }: Span,
): void {
  const { rounds, call } = exchange;
  const { members, member } = rounds.frames;
  const most = Math.min(
    roomOf(exchange) / (members + 1),
    BLOCK_BYTES / call.input.BYTES_PER_ELEMENT,
  );
  const block = Math.floor(most / STEP) * STEP;
  const room = rounds.frames.ownArray(call.input, (members + 1) * block) as FloatArray;
  const places = seen.map((_, m) => room.subarray(m * block, (m + 1) * block));
  const whole = room.subarray(members * block);
  for (let at = from; at < to; at += block) {
    const span = { from: at, to: Math.min(at + block, to) };
    const out = span.to - at === block ? whole : whole.subarray(0, span.to - at);
    seen.forEach(({ sources }, m) => {
      within(list.starts, sources, span, (i, first, last) => {
        copyPart(places[m], list.starts[i] + first - at, sources[i], first, last - first);
      });
    });
    combineSlots(exchange, out, places);
    const { results } = seen[member];
    within(list.starts, results, span, (i, first, last) => {
      copyPart(results[i], first, out, list.starts[i] + first - at, last - first);
    });
  }
}

/** Calls `use` with the elements [first, last) of each array that lie within `span` of the list. */
function within(
  starts: ArrayLike<number>,
  arrays: readonly { readonly length: number }[],
  { from, to }: Span,
  use: (i: number, first: number, last: number) => void,
): void {
  for (let i = lastFrom(starts, from); i < arrays.length && starts[i] < to; i++) {
    const first = Math.max(from - starts[i], 0);
    const last = Math.min(to - starts[i], arrays[i].length);
    if (first < last) use(i, first, last);
  }
}

/** The last array that begins at or before element `from`. */
function lastFrom(starts: ArrayLike<number>, from: number): number {
  let [low, high] = [0, starts.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle] <= from) low = middle;
    else high = middle - 1;
  }
  return low;
}
