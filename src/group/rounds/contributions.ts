/** The arrays that the members of a group have sent for one collective, in rank order. */

import { bufferOf } from '../../core/typed-arrays.js';
import { reduceRanks } from '../reduce.js';
import { opCode, type Reduce, type Reducer, reduceFor } from '../reducer.js';
import type { CollectiveArray, CopiedArray, ReduceOp } from '../transport.js';
import { type Constructor, kindOf } from './kinds.js';

/** Least elements for which WebAssembly and a copy are faster than a loop. */
const WASM_FROM = 48;
/** Elements that are combined at a time, if the result is copied. */
const BLOCK = 4096;
/** Bytes of combinations that are faster in a place of their own, see frames.ts. */
const ASIDE_FROM = 640;
const ASIDE_TO = 40960;
/** Bytes that are combined there at a time. */
export const ASIDE_BYTES = 16384;
/** Most elements that a loop copies faster than a call of `set`. */
const SHORT = 64;
/** Least elements for which a call out of the engine is worth its price. */
const LONG = 2048;
/** Views that are kept: models have few widths, programs that make them up have many. */
const MOST_VIEWS = 1024;

export class Contributions {
  readonly views: readonly CopiedArray[];
  /** Combines the arrays in place; null: loops do it. */
  readonly reduce: Reducer | null;
  readonly #room: CopiedArray;
  /** Function for the views' type. Asking the arrays in each call would take longer than adding. */
  readonly #reduce: Reduce | null;
  readonly #first: number;
  readonly #stride: number;
  readonly #roomAt: number;
  readonly #aside: CopiedArray;
  readonly #asideAt: number;
  readonly #elementBytes: number;
  /** The beginnings of {@link views} and rooms, by length: making one takes as long as 8 KiB. */
  readonly #heads = new Map<number, CopiedArray>();

  /**
   * @param room in the same memory, for a combination: one of `views`, or as long
   * @param aside the same, for one of {@link ASIDE_BYTES} at most
   * @param reduce may write up to 15 bytes past the end of a view
   */
  constructor(
    views: readonly CopiedArray[],
    room: CopiedArray,
    aside: CopiedArray,
    reduce: Reducer | null,
  ) {
    this.views = views;
    this.#room = room;
    this.#aside = aside;
    this.#asideAt = aside.byteOffset;
    this.reduce = reduce;
    this.#reduce = reduce && reduceFor(reduce, views[0] as CollectiveArray);
    this.#roomAt = room.byteOffset;
    this.#elementBytes = room.BYTES_PER_ELEMENT;
    this.#first = views[0].byteOffset;
    this.#stride = views[views.length - 1].byteOffset - this.#first;
    if (views.length > 1) this.#stride /= views.length - 1;
  }

  /** Returns the first `length` elements that `member` sent. */
  head(member: number, length: number): CopiedArray {
    return this.#head(this.views[member], member, length);
  }

  /**
   * Writes the combination of the first `count` elements of all to `out`. May spoil the views.
   * @param isHere true if `out` is in the memory of the views
   */
  combine(out: CollectiveArray, op: ReduceOp, count: number, isHere = false): void {
    this.#combine(out, op === 'mean' ? 'sum' : op, count, isHere);
    if (op === 'mean') divide(out, this.views.length, count);
  }

  #combine(
    out: CollectiveArray,
    op: Exclude<ReduceOp, 'mean'>,
    count: number,
    isHere: boolean,
  ): void {
    const views = this.views as readonly CollectiveArray[];
    if (this.#reduce !== null && count >= WASM_FROM && op !== 'product') {
      // If `out` is in the memory, too, nothing is left to copy.
      if (isHere) this.#reduceTo(this.#reduce, out.byteOffset, op, 0, count);
      else this.#combineAside(this.#reduce, out, op, count);
    } else if (views.length === 2 && op === 'sum' && out instanceof Float64Array) {
      addPair(out, views[0] as Float64Array, views[1] as Float64Array, count);
    } else {
      reduceRanks(out, views, op, 0, count);
    }
  }

  /** Combines block by block: a block is still in the first-level cache when it is copied. */
  #combineAside(reduce: Reduce, out: CollectiveArray, op: ReduceOp, count: number): void {
    const bytes = count * this.#elementBytes;
    const isAside = bytes >= ASIDE_FROM && bytes <= ASIDE_TO;
    const room = isAside ? this.#aside : this.#room;
    const place = this.views.length + Number(isAside);
    const step = isAside ? ASIDE_BYTES / this.#elementBytes : BLOCK;
    for (let from = 0; from < count; from += step) {
      const length = Math.min(step, count - from);
      this.#reduceTo(reduce, isAside ? this.#asideAt : this.#roomAt, op, from, length);
      copy(out, from, this.#head(room, place, length));
    }
  }

  #reduceTo(reduce: Reduce, out: number, op: ReduceOp, from: number, count: number): void {
    const size = this.#elementBytes;
    const first = this.#first + from * size;
    reduce(out, first, this.#stride, this.views.length, count * size, opCode(op));
  }

  #head(view: CopiedArray, place: number, length: number): CopiedArray {
    if (view.length === length) return view;
    const key = length * (this.views.length + 2) + place;
    let head = this.#heads.get(key);
    if (head === undefined) {
      if (this.#heads.size >= MOST_VIEWS) this.#heads.clear();
      head = view.subarray(0, length);
      this.#heads.set(key, head);
    }
    return head;
  }
}

/** target = source, of as many bytes. */
type LongCopy = (target: CopiedArray, source: CopiedArray) => void;

let longCopy: LongCopy | null = null;

/** Called once by a runtime that copies shared memory faster than `set` does. */
export function setLongCopy(copy: LongCopy): void {
  longCopy = copy;
}

/** target[at..] = source */
export function copy(target: CopiedArray, at: number, source: CopiedArray): void {
  const { length } = source;
  if (length <= SHORT) for (let i = 0; i < length; i++) target[at + i] = source[i];
  else if (length < LONG) target.set(source, at);
  else copyPart(target, at, source, 0, length);
}

/** target[at..] = source[from, from + count), of one kind and in different places */
export function copyPart(
  target: CopiedArray,
  at: number,
  source: CopiedArray,
  from: number,
  count: number,
): void {
  const size = target.BYTES_PER_ELEMENT;
  const [to, start] = [target.byteOffset + at * size, source.byteOffset + from * size];
  const view = (kind: Constructor, array: CopiedArray, place: number, length: number) =>
    // Not by `subarray`: the kernels' arrays have one of their own, which takes microseconds.
    new kind(bufferOf(array), place, length);
  if (count >= LONG && longCopy !== null) {
    const bytes = count * size;
    longCopy(view(Uint8Array, target, to, bytes), view(Uint8Array, source, start, bytes));
  } else if (count <= SHORT || ((to - start) & 7) !== 0) {
    // V8 copies to and from shared arrays byte by byte unless words of 8 bytes match.
    for (let i = 0; i < count; i++) target[at + i] = source[from + i];
  } else {
    const isAll = count === source.length;
    target.set(isAll ? source : view(kindOf(source), source, start, count), at);
  }
}

function divide(out: CollectiveArray, by: number, count: number): void {
  for (let i = 0; i < count; i++) out[i] /= by;
}

/** The most frequent sum, in a function of its own so that it is compiled for this type alone. */
function addPair(out: Float64Array, a: Float64Array, b: Float64Array, count: number): void {
  let i = 0;
  // Four at a time: half the time of one at a time, in V8.
  for (; i + 3 < count; i += 4) {
    out[i] = a[i] + b[i];
    out[i + 1] = a[i + 1] + b[i + 1];
    out[i + 2] = a[i + 2] + b[i + 2];
    out[i + 3] = a[i + 3] + b[i + 3];
  }
  for (; i < count; i++) out[i] = a[i] + b[i];
}
