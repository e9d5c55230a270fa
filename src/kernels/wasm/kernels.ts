/**
 * The WebAssembly kernels: assembly/ behind the contract of kernels.ts. Arrays in the kernels'
 * memory go in by pointer, all others through staging arrays (foreign.ts). After `reserve` no call
 * allocates.
 */

import type { ComputeDType, DType, FloatArray, TensorData } from '../../core/dtype.js';
import { slotFor } from '../../core/features.js';
import { countPerChannel, type Layout, valuesPerChannel } from '../../core/layout.js';
import type {
  ChannelRange,
  ExactSums,
  ExactTerms,
  GradientSums,
  Kernels,
  Normalization,
} from '../kernels.js';
import { plainKernels } from '../plain.js';
import { ChannelStatistics } from './channel-statistics.js';
import type { Engine, Stages } from './engine.js';
import type { Exact } from './exact.js';
import type { Choose, Foreign } from './foreign.js';
import { Heap } from './heap.js';
import type { Masked } from './masked.js';
import { SLOTS, Staging } from './staging.js';
import type { Tails } from './tails.js';
import { kernelsOf, texts } from './types.js';
import { BYTES, byRows, channelsPerBlock, numberBytes, rowsOf } from './variant.js';

export const exactKernels = slotFor<typeof import('./exact.js')>('reproducible');
export const maskedKernels = slotFor<typeof import('./masked.js')>('masks');
export const tailKernels = slotFor<typeof import('./tails.js')>('tail');

let foreign: typeof import('./foreign.js') | undefined;

/** Called by src/features/foreign.ts. */
export function fillForeign(module: typeof import('./foreign.js')): void {
  foreign = module;
}

export class WasmKernels extends ChannelStatistics implements Kernels {
  readonly name: string;
  readonly #engine: Engine;
  readonly #staging: Staging;
  readonly #choose: Choose;
  #foreign: Foreign | null = null;
  #masked: Masked | null = null;
  #exact: Exact | null = null;
  #tails: Tails | null = null;

  constructor(engine: Engine) {
    super(new Heap(engine), engine.statistics);
    this.name = engine.relaxed ? 'wasm-relaxed' : 'wasm';
    this.#engine = engine;
    this.#staging = new Staging(this.heap);
    this.#choose = (rows, values, dtype) => this.#stages(rows, values, dtype);
  }

  allocate(dtype: 'float32', length: number): Float32Array;
  allocate(dtype: 'float64', length: number): Float64Array;
  allocate(dtype: ComputeDType, length: number): FloatArray;
  allocate(dtype: DType, length: number): TensorData;
  allocate(dtype: DType, length: number): TensorData {
    return this.heap.allocate(dtype, length);
  }

  isNear(array: TensorData): boolean {
    return this.heap.owns(array);
  }

  release(array: TensorData): void {
    this.heap.release(array);
  }

  reserve(channels: number): void {
    this.heap.reserveScratch(channels);
    this.#staging.reserve(channels);
  }

  channelsPerBlock(layout: Layout): number {
    return channelsPerBlock(layout);
  }

  moments(
    mean: Float64Array,
    m2: Float64Array,
    x: TensorData,
    layout: Layout,
    { from, to }: ChannelRange,
  ): number {
    if (this.#lacks(layout, x)) return plainKernels.moments(mean, m2, x, layout, { from, to });
    const count = countPerChannel(layout);
    if (count === 0) {
      mean.fill(0, from, to);
      m2.fill(0, from, to);
      return count;
    }
    const staging = this.#staging;
    const meanAt = staging.output(SLOTS.out0, mean, from, to);
    const m2At = staging.output(SLOTS.out1, m2, from, to);
    let bad: number[] = [];
    if (layout.mask) {
      bad = this.#underMask().moments(meanAt, m2At, x, layout, from, to);
    } else if (this.heap.owns(x)) {
      const bytes = BYTES[layout.dtype];
      const { rows, values } = rowsOf(layout);
      const xAt = x.byteOffset + from * values * bytes;
      const stages = this.#stages(rows, values, layout.dtype);
      stages.moments(meanAt, m2At, xAt, to - from, rows, layout.channels * values * bytes, values);
    } else {
      this.#inPieces().moments(meanAt, m2At, x, layout, from, to);
    }
    staging.deliver(SLOTS.out0, mean, from, to);
    staging.deliver(SLOTS.out1, m2, from, to);
    for (const c of bad) plainKernels.moments(mean, m2, x, layout, { from: c, to: c + 1 });
    return count;
  }

  normalize(
    y: TensorData,
    x: TensorData,
    by: Normalization,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
    if (valuesPerChannel(layout) === 0) return;
    if (this.#lacks(layout, x, y)) {
      plainKernels.normalize(y, x, by, layout, { from, to });
      return;
    }
    const staging = this.#staging;
    const bytes = BYTES[layout.dtype];
    const mean = staging.input(SLOTS.mean, by.mean, from, to, 8);
    const invstd = staging.input(SLOTS.invstd, by.invstd, from, to, 8);
    const weight = staging.input(SLOTS.weight, by.weight, from, to, numberBytes(layout.dtype));
    const bias = staging.input(SLOTS.bias, by.bias, from, to, numberBytes(layout.dtype));
    if (layout.mask?.zero) {
      this.#underMask().normalize(y, x, [mean, invstd, weight, bias], layout, from, to);
    } else if (this.heap.owns(x) && this.heap.owns(y)) {
      const { rows, values } = rowsOf(layout);
      const at = from * values * bytes;
      const stride = layout.channels * values * bytes;
      this.#stages(rows, values, layout.dtype).normalize(
        y.byteOffset + at,
        x.byteOffset + at,
        mean,
        invstd,
        weight,
        bias,
        to - from,
        rows,
        stride,
        values,
      );
    } else {
      this.#inPieces().normalize(y, x, [mean, invstd, weight, bias], layout, from, to);
    }
  }

  gradientSums(
    sums: GradientSums,
    dy: TensorData,
    x: TensorData,
    by: Normalization,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
    if (this.#lacks(layout, x, dy)) {
      plainKernels.gradientSums(sums, dy, x, by, layout, { from, to });
      return;
    }
    if (valuesPerChannel(layout) === 0) {
      sums.dy.fill(0, from, to);
      sums.dyXhat.fill(0, from, to);
      return;
    }
    const staging = this.#staging;
    const mean = staging.input(SLOTS.mean, by.mean, from, to, 8);
    const invstd = staging.input(SLOTS.invstd, by.invstd, from, to, 8);
    const sumDy = staging.output(SLOTS.out0, sums.dy, from, to);
    const sumDyXhat = staging.output(SLOTS.out1, sums.dyXhat, from, to);
    if (layout.mask?.zero) {
      this.#underMask().gradientSums(sumDy, sumDyXhat, dy, x, mean, invstd, layout, from, to);
    } else if (this.heap.owns(x) && this.heap.owns(dy)) {
      const bytes = BYTES[layout.dtype];
      const { rows, values } = rowsOf(layout);
      const at = from * values * bytes;
      const stride = layout.channels * values * bytes;
      this.#stages(rows, values, layout.dtype).gradientSums(
        sumDy,
        sumDyXhat,
        dy.byteOffset + at,
        x.byteOffset + at,
        mean,
        invstd,
        to - from,
        rows,
        stride,
        values,
      );
    } else {
      this.#inPieces().gradientSums(sumDy, sumDyXhat, dy, x, [mean, invstd], layout, from, to);
    }
    staging.deliver(SLOTS.out0, sums.dy, from, to);
    staging.deliver(SLOTS.out1, sums.dyXhat, from, to);
  }

  inputGradient(
    dx: TensorData,
    dy: TensorData,
    x: TensorData,
    by: Normalization,
    means: GradientSums | null,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
    if (valuesPerChannel(layout) === 0) return;
    if (this.#lacks(layout, x, dy, dx)) {
      plainKernels.inputGradient(dx, dy, x, by, means, layout, { from, to });
      return;
    }
    const staging = this.#staging;
    const bytes = BYTES[layout.dtype];
    const mean = staging.input(SLOTS.mean, by.mean, from, to, 8);
    const invstd = staging.input(SLOTS.invstd, by.invstd, from, to, 8);
    const weight = staging.input(SLOTS.weight, by.weight, from, to, numberBytes(layout.dtype));
    const meanDy = staging.input(SLOTS.meanDy, means?.dy ?? null, from, to, 8);
    const meanDyXhat = staging.input(SLOTS.meanDyXhat, means?.dyXhat ?? null, from, to, 8);
    const parameters = [mean, invstd, weight, meanDy, meanDyXhat] as const;
    if (layout.mask && (layout.mask.zero || means !== null)) {
      const { zero } = layout.mask;
      const scale = (c: number) => (zero ? 0 : by.invstd[c] * (by.weight?.[c] ?? 1));
      this.#underMask().inputGradient(dx, dy, x, parameters, scale, layout, from, to);
    } else if (this.heap.owns(x) && this.heap.owns(dy) && this.heap.owns(dx)) {
      const { rows, values } = rowsOf(layout);
      const at = from * values * bytes;
      const stride = layout.channels * values * bytes;
      this.#stages(rows, values, layout.dtype).inputGradient(
        dx.byteOffset + at,
        dy.byteOffset + at,
        x.byteOffset + at,
        mean,
        invstd,
        weight,
        meanDy,
        meanDyXhat,
        to - from,
        rows,
        stride,
        values,
      );
    } else {
      this.#inPieces().inputGradient(dx, dy, x, parameters, layout, from, to);
    }
  }

  exactSums(terms: ExactTerms, layout: Layout): ExactSums {
    this.#exact ??= new (exactKernels().Exact)(this.#engine, this.heap, this.#staging);
    return this.#exact.sums(terms, layout);
  }

  tails(): Tails {
    this.#tails ??= new (tailKernels().Tails)(this.#engine, this.heap, this.#staging);
    return this.#tails;
  }

  #inPieces(): Foreign {
    this.#foreign ??= new (foreign as NonNullable<typeof foreign>).Foreign(
      this.#staging,
      this.#choose,
    );
    return this.#foreign;
  }

  #underMask(): Masked {
    this.#masked ??= new (maskedKernels().Masked)(
      this.#engine,
      this.heap,
      this.#staging,
      this.#choose,
    );
    return this.#masked;
  }

  /** True if the code for the type, the mask or the arrays is not loaded, as before `init`. */
  #lacks({ dtype, mask }: Layout, a: TensorData, b = a, c = a): boolean {
    return (
      (dtype !== 'float32' && texts[dtype].ifThere() === undefined) ||
      (mask != null && maskedKernels.ifThere() === undefined) ||
      (foreign === undefined && ![a, b, c].every((array) => this.heap.owns(array)))
    );
  }

  /** The kernels for `rows` rows with `values` values to a channel. */
  #stages(rows: number, values: number, dtype: DType): Stages {
    const { row, plane } =
      dtype === 'float32' ? this.#engine.stages : kernelsOf(dtype, this.#engine);
    return byRows(rows, values, numberBytes(dtype)) ? row : plane;
  }
}
