/**
 * The stages under a mask: piece by piece through the staging arrays, where values that do not
 * count are replaced, so that the other kernels need not know about masks. Arguments as in
 * foreign.ts.
 */

import { computeDType, type FloatArray, type TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import { isSound } from '../../core/moments.js';
import { Blend } from './blend.js';
import type { Engine } from './engine.js';
import type { Choose } from './foreign.js';
import type { Heap } from './heap.js';
import { Numbers } from './numbers.js';
import { type Piece, piecesOf, pointersOf } from './pieces.js';
import { maskedCapacity, PARTS, SLOTS, type Staging } from './staging.js';
import { numberBytes } from './variant.js';

export class Masked {
  readonly #staging: Staging;
  readonly #choose: Choose;
  readonly #numbers: Numbers;
  readonly #blend: Blend;

  constructor(engine: Engine, heap: Heap, staging: Staging, choose: Choose) {
    this.#staging = staging;
    this.#choose = choose;
    this.#numbers = new Numbers(engine, heap, staging);
    this.#blend = new Blend(engine, staging);
  }

  /**
   * Writes mean and M2, from sums of d = x - shift and of d * d, with a shift of 0, or else of the
   * resulting mean.
   * @returns channels that float32 sums cannot give
   */
  moments(
    mean: number,
    m2: number,
    x: TensorData,
    layout: Layout,
    from: number,
    to: number,
  ): number[] {
    const { dtype } = layout;
    const count = layout.mask!.count;
    const sums = this.#staging.view(mean, to - from);
    const squares = this.#staging.view(m2, to - from);
    const shifts = this.#filled(SLOTS.weight, layout, from, to, 0);
    const sound = (sum: number, c: number) =>
      isSound(count, sum, squares[c], shifts[c], computeDType(dtype));
    this.#sum(sums, squares, x, layout, from, to, shifts);
    if (!sums.every(sound)) {
      for (let c = 0; c < sums.length; c++) {
        const moved = shifts[c] + sums[c] / count;
        shifts[c] = Number.isFinite(moved) ? moved : 0;
      }
      this.#sum(sums, squares, x, layout, from, to, shifts);
    }
    const bad: number[] = [];
    for (let c = 0; c < sums.length; c++) {
      if (!sound(sums[c], c)) bad.push(from + c);
      const delta = sums[c] / count;
      squares[c] -= sums[c] * delta;
      sums[c] = shifts[c] + delta;
    }
    return bad;
  }

  /** Adds d and d * d as the sums of dy and of dy * (x - 0), with d as both x and dy. */
  #sum(
    sums: Float64Array,
    squares: Float64Array,
    x: TensorData,
    layout: Layout,
    from: number,
    to: number,
    shifts: FloatArray,
  ): void {
    const bytes = numberBytes(layout.dtype);
    const zeros = this.#filled(SLOTS.bias, layout, from, to, 0);
    const mean = this.#staging.channel(SLOTS.mean, to - from, 8).fill(0, 0, to - from);
    const invstd = this.#staging.channel(SLOTS.invstd, to - from, 8).fill(1, 0, to - from);
    const d = this.#staging.pointer(1);
    this.#sumPieces(sums, squares, layout, from, to, (piece, first, second) => {
      const { channels, rows, width, values } = piece;
      this.#blend.run(
        d,
        this.#numbers.in(0, x, piece, layout.dtype),
        0,
        shifts,
        zeros,
        piece,
        layout,
        from,
      );
      this.#choose(rows, values, computeDType(layout.dtype)).gradientSums(
        ...[first, second, d, d, mean.byteOffset, invstd.byteOffset],
        ...[channels, rows, width * bytes, values],
      );
    });
  }

  /** Writes the sums of dy, and of dy * xhat, over values that count. */
  gradientSums(
    sumDy: number,
    sumDyXhat: number,
    dy: TensorData,
    x: TensorData,
    mean: number,
    invstd: number,
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = numberBytes(layout.dtype);
    const zeros = this.#filled(SLOTS.bias, layout, from, to, 0);
    const [g, d] = [0, 1].map((index) => this.#staging.pointer(index));
    const [sums, products] = [sumDy, sumDyXhat].map((at) => this.#staging.view(at, to - from));
    this.#sumPieces(sums, products, layout, from, to, (piece, first, second) => {
      const { channels, rows, width, values } = piece;
      this.#blend.run(
        g,
        this.#numbers.in(0, dy, piece, layout.dtype),
        0,
        zeros,
        zeros,
        piece,
        layout,
        from,
      );
      this.#blend.run(
        d,
        this.#numbers.in(1, x, piece, layout.dtype),
        0,
        zeros,
        zeros,
        piece,
        layout,
        from,
      );
      const skipped = 8 * (piece.channel - from);
      this.#choose(rows, values, computeDType(layout.dtype)).gradientSums(
        ...[first, second, g, d, mean + skipped, invstd + skipped],
        ...[channels, rows, width * bytes, values],
      );
    });
  }

  /** Writes y, and 0 for values that do not count. */
  normalize(
    y: TensorData,
    x: TensorData,
    parameters: readonly [mean: number, invstd: number, weight: number, bias: number],
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = numberBytes(layout.dtype);
    const zeros = this.#filled(SLOTS.out0, layout, from, to, 0);
    const whole = this.#staging.pointer(1);
    for (const piece of this.#pieces(layout, from, to)) {
      const { channels, rows, width, values } = piece;
      const at = this.#numbers.in(0, x, piece, layout.dtype);
      const own = pointersOf(parameters, piece.channel - from, [8, 8, bytes, bytes]);
      this.#choose(rows, values, computeDType(layout.dtype)).normalize(
        ...[whole, at, ...own, channels, rows, width * bytes, values],
      );
      this.#put(y, whole, 0, zeros, zeros, piece, layout, from);
    }
  }

  /**
   * Writes dx, and dy * scale for values that do not count.
   * @param scaleOf weight * invstd of a channel, or 0
   */
  inputGradient(
    dx: TensorData,
    dy: TensorData,
    x: TensorData,
    parameters: readonly number[],
    scaleOf: (channel: number) => number,
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = numberBytes(layout.dtype);
    const zeros = this.#filled(SLOTS.out0, layout, from, to, 0);
    const fills = this.#filled(SLOTS.out1, layout, from, to, 0);
    for (let c = from; c < to; c++) fills[c - from] = scaleOf(c);
    const whole = this.#staging.pointer(1);
    for (const piece of this.#pieces(layout, from, to)) {
      const { channels, rows, width, values } = piece;
      const dyAt = this.#numbers.in(0, dy, piece, layout.dtype);
      const xAt = this.#numbers.in(1, x, piece, layout.dtype);
      const own = pointersOf(parameters, piece.channel - from, [8, 8, bytes, 8, 8]);
      this.#choose(rows, values, computeDType(layout.dtype)).inputGradient(
        ...[whole, dyAt, xAt, ...own, channels, rows, width * bytes, values],
      );
      this.#put(dx, whole, layout.mask!.zero ? 0 : dyAt, zeros, fills, piece, layout, from);
    }
  }

  #pieces(layout: Layout, from: number, to: number): Generator<Piece> {
    return piecesOf(layout, { from, to }, maskedCapacity(layout.dtype));
  }

  /** Adds up what `sum` writes for each piece. */
  #sumPieces(
    sums: Float64Array,
    products: Float64Array,
    layout: Layout,
    from: number,
    to: number,
    sum: (piece: Piece, first: number, second: number) => void,
  ): void {
    const [first, second] = PARTS.map((slot) => this.#staging.channel(slot, to - from, 8));
    sums.fill(0);
    products.fill(0);
    for (const piece of this.#pieces(layout, from, to)) {
      sum(piece, first.byteOffset, second.byteOffset);
      for (let c = 0, at = piece.channel - from; c < piece.channels; c++, at++) {
        sums[at] += first[c];
        products[at] += second[c];
      }
    }
  }

  /** A number of the element type for each channel. */
  #filled(slot: number, layout: Layout, from: number, to: number, value: number): FloatArray {
    const array = this.#staging.channel(slot, to - from, numberBytes(layout.dtype));
    return array.subarray(0, to - from).fill(value);
  }

  /** Writes a piece of a result: a for values that count, else b * fills. */
  #put(
    target: TensorData,
    a: number,
    b: number,
    zeros: FloatArray,
    fills: FloatArray,
    piece: Piece,
    layout: Layout,
    from: number,
  ): void {
    const at = this.#numbers.place(target, piece, layout.dtype);
    this.#blend.run(at, a, b, zeros, fills, piece, layout, from);
    this.#numbers.out(target, piece, layout.dtype);
  }
}
