/**
 * The stages over arrays outside the kernels' memory that are too large for near.ts of ops/memory/:
 * piece by piece through two staging arrays, never copied whole. Per-channel arguments are pointers
 * to the first channel of the run. Results go out through the staging array of their input.
 */

import type { DType, TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { Stages } from './engine.js';
import { copyIn, copyOut, type Piece, piecesOf, pointersOf } from './pieces.js';
import { PARTS, STAGING_BYTES, type Staging } from './staging.js';
import { BYTES, numberBytes } from './variant.js';

/** Chooses the kernels for `rows` rows with `values` values to a channel. */
export type Choose = (rows: number, values: number, dtype: DType) => Stages;

/** Runs a stage over a piece: pointers to its arrays, and the last four arguments of a stage. */
type Run = (
  stages: Stages,
  pointers: readonly number[],
  shape: readonly number[],
  piece: Piece,
) => void;

export class Foreign {
  readonly #staging: Staging;
  readonly #choose: Choose;

  constructor(staging: Staging, choose: Choose) {
    this.#staging = staging;
    this.#choose = choose;
  }

  moments(mean: number, m2: number, x: TensorData, layout: Layout, from: number, to: number): void {
    const [partMean, partM2] = this.#parts(from, to);
    const means = this.#staging.view(mean, to - from);
    const squares = this.#staging.view(m2, to - from);
    this.#each([x], layout, from, to, (stages, pointers, shape, piece) => {
      stages.moments(partMean.byteOffset, partM2.byteOffset, ...pointers, ...shape);
      const { channels, rows, values, before } = piece;
      const share = (rows * values) / (before + rows * values);
      for (let c = 0, at = piece.channel - from; c < channels; c++, at++) {
        // The merge of core/moments.ts; copied first, since 0 * delta^2 may be NaN.
        if (before === 0) {
          means[at] = partMean[c];
          squares[at] = partM2[c];
        } else {
          const delta = partMean[c] - means[at];
          means[at] += delta * share;
          squares[at] += partM2[c] + delta * delta * before * share;
        }
      }
    });
  }

  /** @param parameters pointers to mean, invstd, weight and bias */
  normalize(
    y: TensorData,
    x: TensorData,
    parameters: readonly number[],
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = numberBytes(layout.dtype);
    const run: Run = (stages, [at], shape, piece) => {
      const own = pointersOf(parameters, piece.channel - from, [8, 8, bytes, bytes]);
      stages.normalize(at, at, ...own, ...shape);
    };
    this.#each([x], layout, from, to, run, y);
  }

  gradientSums(
    sumDy: number,
    sumDyXhat: number,
    dy: TensorData,
    x: TensorData,
    parameters: readonly [mean: number, invstd: number],
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const [partDy, partDyXhat] = this.#parts(from, to);
    const sums = this.#staging.view(sumDy, to - from).fill(0);
    const products = this.#staging.view(sumDyXhat, to - from).fill(0);
    this.#each([dy, x], layout, from, to, (stages, pointers, shape, { channel, channels }) => {
      const own = pointersOf(parameters, channel - from, [8, 8]);
      stages.gradientSums(partDy.byteOffset, partDyXhat.byteOffset, ...pointers, ...own, ...shape);
      for (let c = 0, at = channel - from; c < channels; c++, at++) {
        sums[at] += partDy[c];
        products[at] += partDyXhat[c];
      }
    });
  }

  /** @param parameters pointers to mean, invstd, weight, meanDy and meanDyXhat */
  inputGradient(
    dx: TensorData,
    dy: TensorData,
    x: TensorData,
    parameters: readonly number[],
    layout: Layout,
    from: number,
    to: number,
  ): void {
    const bytes = numberBytes(layout.dtype);
    const run: Run = (stages, [dyAt, xAt], shape, piece) => {
      const own = pointersOf(parameters, piece.channel - from, [8, 8, bytes, 8, 8]);
      stages.inputGradient(dyAt, dyAt, xAt, ...own, ...shape);
    };
    this.#each([dy, x], layout, from, to, run, dx);
  }

  /** Sums of one piece. */
  #parts(from: number, to: number) {
    return PARTS.map((slot) => this.#staging.channel(slot, to - from, 8));
  }

  /** Runs a stage over pieces of `arrays`; `result` gets the output in the place of the first. */
  #each(
    arrays: readonly TensorData[],
    layout: Layout,
    from: number,
    to: number,
    run: Run,
    result?: TensorData,
  ): void {
    const bytes = BYTES[layout.dtype];
    const staged = arrays.map((array, index) => this.#staging.tensor(index, array));
    const pointers = staged.map(({ byteOffset }) => byteOffset);
    for (const piece of piecesOf(layout, { from, to }, STAGING_BYTES / bytes)) {
      for (let i = 0; i < arrays.length; i++) copyIn(staged[i], arrays[i], piece);
      const { channels, rows, width, values } = piece;
      const stages = this.#choose(rows, values, layout.dtype);
      run(stages, pointers, [channels, rows, width * bytes, values], piece);
      if (result !== undefined) copyOut(result, staged[0], piece);
    }
  }
}
