/**
 * The stages over arrays outside the kernels' memory: piece by piece through two staging arrays, never
 * copied whole. Per-channel arguments are pointers already, to the first channel of the run.
 * Results go out through the staging array of their input.
 */

import type { DType, TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { Stages } from './engine.js';
import { copyIn, copyOut, type Piece, piecesOf } from './pieces.js';
import { PARTS, STAGING_BYTES, type Staging } from './staging.js';
import { BYTES, numberBytes } from './variant.js';

/** Chooses the kernels for `rows` rows with `values` values to a channel. */
export type Choose = (rows: number, values: number, dtype: DType) => Stages;

export class Foreign {
  readonly #staging: Staging;
  readonly #choose: Choose;

  constructor(staging: Staging, choose: Choose) {
    this.#staging = staging;
    this.#choose = choose;
  }

  moments(mean: number, m2: number, x: TensorData, layout: Layout, from: number, to: number): void {
    const bytes = BYTES[layout.dtype];
    const partMean = this.#staging.channel(PARTS[0], to - from, 8);
    const partM2 = this.#staging.channel(PARTS[1], to - from, 8);
    const means = this.#staging.view(mean, to - from);
    const squares = this.#staging.view(m2, to - from);
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const at = this.#load(0, x, piece);
      const { channels, rows, width, values, before } = piece;
      const stages = this.#choose(rows, values, layout.dtype);
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
    y: TensorData,
    x: TensorData,
    mean: number,
    invstd: number,
    weight: number,
    bias: number,
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = BYTES[layout.dtype];
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const at = this.#load(0, x, piece);
      const { channels, rows, width, values } = piece;
      const first = piece.channel - from;
      this.#choose(rows, values, layout.dtype).normalize(
        at,
        at,
        mean + first * 8,
        invstd + first * 8,
        weight && weight + first * numberBytes(layout.dtype),
        bias && bias + first * numberBytes(layout.dtype),
        channels,
        rows,
        width * bytes,
        values,
      );
      copyOut(y, this.#staging.tensor(0, x), piece);
    }
  }

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
    const bytes = BYTES[layout.dtype];
    const partDy = this.#staging.channel(PARTS[0], to - from, 8);
    const partDyXhat = this.#staging.channel(PARTS[1], to - from, 8);
    const sums = this.#staging.view(sumDy, to - from).fill(0);
    const products = this.#staging.view(sumDyXhat, to - from).fill(0);
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const dyAt = this.#load(0, dy, piece);
      const xAt = this.#load(1, x, piece);
      const { channels, rows, width, values } = piece;
      const first = piece.channel - from;
      this.#choose(rows, values, layout.dtype).gradientSums(
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

  /** @param parameters pointers to mean, invstd, weight, meanDy and meanDyXhat */
  inputGradient(
    dx: TensorData,
    dy: TensorData,
    x: TensorData,
    parameters: readonly [number, number, number, number, number],
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = BYTES[layout.dtype];
    const [mean, invstd, weight, meanDy, meanDyXhat] = parameters;
    for (const piece of this.#pieces(layout, from, to, bytes)) {
      const dyAt = this.#load(0, dy, piece);
      const xAt = this.#load(1, x, piece);
      const { channels, rows, width, values } = piece;
      const first = piece.channel - from;
      this.#choose(rows, values, layout.dtype).inputGradient(
        dyAt,
        dyAt,
        xAt,
        mean + first * 8,
        invstd + first * 8,
        weight && weight + first * numberBytes(layout.dtype),
        meanDy && meanDy + first * 8,
        meanDyXhat && meanDyXhat + first * 8,
        channels,
        rows,
        width * bytes,
        values,
      );
      copyOut(dx, this.#staging.tensor(0, dy), piece);
    }
  }

  #pieces(layout: Layout, from: number, to: number, bytes: number): Generator<Piece> {
    return piecesOf(layout, { from, to }, STAGING_BYTES / bytes);
  }

  /** Copies a piece into staging array `index`; returns its pointer. */
  #load(index: number, array: TensorData, piece: Piece): number {
    const staged = this.#staging.tensor(index, array);
    copyIn(staged, array, piece);
    return staged.byteOffset;
  }
}
