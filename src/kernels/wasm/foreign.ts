/**
 * The stages over arrays outside the kernels' memory: piece by piece through two windows, never
 * copied whole. Per-channel arguments are pointers already, to the first channel of the run.
 * Results go out through the window that their input came in by.
 */

import type { FloatArray } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { Stages } from './engine.js';
import { copyIn, copyOut, type Piece, piecesOf } from './pieces.js';
import { PARTS, WINDOW_BYTES, type Windows } from './windows.js';

/** Chooses the kernels for `rows` rows with `values` of `bytes` bytes to a channel. */
type Choose = (rows: number, values: number, bytes: number) => Stages;

export class Foreign {
  readonly #windows: Windows;
  readonly #choose: Choose;

  constructor(windows: Windows, choose: Choose) {
    this.#windows = windows;
    this.#choose = choose;
  }

  moments(mean: number, m2: number, x: FloatArray, layout: Layout, from: number, to: number): void {
    const bytes = x.BYTES_PER_ELEMENT;
    const partMean = this.#windows.channel(PARTS[0], to - from, 8);
    const partM2 = this.#windows.channel(PARTS[1], to - from, 8);
    const means = this.#windows.view(mean, to - from);
    const squares = this.#windows.view(m2, to - from);
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const at = this.#load(0, x, piece);
      const { channels, rows, width, values, before } = piece;
      const stages = this.#choose(rows, values, bytes);
      const [p, q] = [partMean.byteOffset, partM2.byteOffset];
      stages.moments(p, q, at, channels, rows, width * bytes, values);
      const first = piece.channel - from;
      const share = (rows * values) / (before + rows * values);
      for (let c = 0; c < channels; c++) {
        // The merge of core/moments.ts; copied first, since 0 * delta^2 may be NaN.
        if (before === 0) {
          means[first + c] = partMean[c];
          squares[first + c] = partM2[c];
        } else {
          const delta = partMean[c] - means[first + c];
          means[first + c] += delta * share;
          squares[first + c] += partM2[c] + delta * delta * before * share;
        }
      }
    }
  }

  normalize(
    y: FloatArray,
    x: FloatArray,
    mean: number,
    invstd: number,
    weight: number,
    bias: number,
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = x.BYTES_PER_ELEMENT;
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const at = this.#load(0, x, piece);
      const { channels, rows, width, values } = piece;
      const first = piece.channel - from;
      this.#choose(rows, values, bytes).normalize(
        at,
        at,
        mean + first * 8,
        invstd + first * 8,
        weight && weight + first * bytes,
        bias && bias + first * bytes,
        channels,
        rows,
        width * bytes,
        values,
      );
      copyOut(y, this.#windows.tensor(0, x), piece);
    }
  }

  gradientSums(
    sumDy: number,
    sumDyXhat: number,
    dy: FloatArray,
    x: FloatArray,
    mean: number,
    invstd: number,
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = x.BYTES_PER_ELEMENT;
    const partDy = this.#windows.channel(PARTS[0], to - from, 8);
    const partDyXhat = this.#windows.channel(PARTS[1], to - from, 8);
    const sums = this.#windows.view(sumDy, to - from).fill(0);
    const products = this.#windows.view(sumDyXhat, to - from).fill(0);
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const dyAt = this.#load(0, dy, piece);
      const xAt = this.#load(1, x, piece);
      const { channels, rows, width, values } = piece;
      const first = piece.channel - from;
      this.#choose(rows, values, bytes).gradientSums(
        partDy.byteOffset,
        partDyXhat.byteOffset,
        dyAt,
        xAt,
        mean + first * 8,
        invstd + first * 8,
        channels,
        rows,
        width * bytes,
        values,
      );
      for (let c = 0; c < channels; c++) {
        sums[first + c] += partDy[c];
        products[first + c] += partDyXhat[c];
      }
    }
  }

  /** `parameters`: pointers to mean, invstd, weight, meanDy and meanDyXhat. */
  inputGradient(
    dx: FloatArray,
    dy: FloatArray,
    x: FloatArray,
    parameters: readonly [number, number, number, number, number],
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = x.BYTES_PER_ELEMENT;
    const [mean, invstd, weight, meanDy, meanDyXhat] = parameters;
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const dyAt = this.#load(0, dy, piece);
      const xAt = this.#load(1, x, piece);
      const { channels, rows, width, values } = piece;
      const first = piece.channel - from;
      this.#choose(rows, values, bytes).inputGradient(
        dyAt,
        dyAt,
        xAt,
        mean + first * 8,
        invstd + first * 8,
        weight && weight + first * bytes,
        meanDy && meanDy + first * 8,
        meanDyXhat && meanDyXhat + first * 8,
        channels,
        rows,
        width * bytes,
        values,
      );
      copyOut(dx, this.#windows.tensor(0, dy), piece);
    }
  }

  #pieces(layout: Layout, from: number, to: number, bytes: number): Generator<Piece> {
    return piecesOf(layout, { from, to }, WINDOW_BYTES / bytes);
  }

  /** Copies a piece into window `index`; its pointer. */
  #load(index: number, array: FloatArray, piece: Piece): number {
    const window = this.#windows.tensor(index, array);
    copyIn(window, array, piece);
    return window.byteOffset;
  }
}
