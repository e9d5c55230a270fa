/**
 * The WebAssembly kernels: assembly/ behind the contract of kernels.ts. Arrays of the kernels'
 * memory go in by pointer, all others through staging arrays (foreign.ts). After `reserve` no call allocates.
 */

import type { ComputeDType, FloatArray } from '../../core/dtype.js';
import { countPerChannel, type Layout, valuesPerChannel } from '../../core/layout.js';
import { loadedAtInit } from '../../core/ready.js';
import type {
  ChannelRange,
  ExactSums,
  ExactTerms,
  GradientSums,
  Kernels,
  Normalization,
} from '../kernels.js';
import { plainKernels } from '../plain.js';
import type { Engine, Stages } from './engine.js';
import type { Exact } from './exact.js';
import { type Choose, Foreign } from './foreign.js';
import { Heap } from './heap.js';
import type { Masked } from './masked.js';
import { SLOTS, Staging } from './staging.js';
import { BYTES, byRows, channelsPerBlock, rowsOf } from './variant.js';

const exact = loadedAtInit(() => import('./exact.js'));
const masked = loadedAtInit(() => import('./masked.js'));

export class WasmKernels implements Kernels {
  readonly name: string;
  readonly heap: Heap;
  readonly #engine: Engine;
  readonly #staging: Staging;
  readonly #foreign: Foreign;
  readonly #choose: Choose;
  #masked: Masked | null = null;
  #exact: Exact | null = null;

  constructor(engine: Engine) {
    this.name = engine.relaxed ? 'wasm-relaxed' : 'wasm';
    this.heap = new Heap(engine);
    this.#engine = engine;
    this.#staging = new Staging(this.heap);
    this.#choose = (rows, values, bytes) => this.#stages(rows, values, bytes);
    this.#foreign = new Foreign(this.#staging, this.#choose);
  }

  allocate(dtype: 'float32', length: number): Float32Array;
  allocate(dtype: 'float64', length: number): Float64Array;
  allocate(dtype: ComputeDType, length: number): FloatArray;
  allocate(dtype: ComputeDType, length: number): FloatArray {
    return this.heap.allocate(dtype, length);
  }

  release(array: FloatArray): void {
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
    x: FloatArray,
    layout: Layout,
    { from, to }: ChannelRange,
  ): number {
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
      const stages = this.#stages(rows, values, bytes);
      stages.moments(meanAt, m2At, xAt, to - from, rows, layout.channels * values * bytes, values);
    } else {
      this.#foreign.moments(meanAt, m2At, x, layout, from, to);
    }
    staging.deliver(SLOTS.out0, mean, from, to);
    staging.deliver(SLOTS.out1, m2, from, to);
    for (const c of bad) plainKernels.moments(mean, m2, x, layout, { from: c, to: c + 1 });
    return count;
  }

  normalize(
    y: FloatArray,
    x: FloatArray,
    by: Normalization,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
    if (valuesPerChannel(layout) === 0) return;
    const staging = this.#staging;
    const bytes = BYTES[layout.dtype];
    const mean = staging.input(SLOTS.mean, by.mean, from, to, 8);
    const invstd = staging.input(SLOTS.invstd, by.invstd, from, to, 8);
    const weight = staging.input(SLOTS.weight, by.weight, from, to, bytes);
    const bias = staging.input(SLOTS.bias, by.bias, from, to, bytes);
    if (layout.mask?.zero) {
      this.#underMask().normalize(y, x, [mean, invstd, weight, bias], layout, from, to);
    } else if (this.heap.owns(x) && this.heap.owns(y)) {
      const { rows, values } = rowsOf(layout);
      const at = from * values * bytes;
      const stride = layout.channels * values * bytes;
      this.#stages(rows, values, bytes).normalize(
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
      this.#foreign.normalize(y, x, mean, invstd, weight, bias, layout, from, to);
    }
  }

  gradientSums(
    sums: GradientSums,
    dy: FloatArray,
    x: FloatArray,
    by: Normalization,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
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
      this.#stages(rows, values, bytes).gradientSums(
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
      this.#foreign.gradientSums(sumDy, sumDyXhat, dy, x, mean, invstd, layout, from, to);
    }
    staging.deliver(SLOTS.out0, sums.dy, from, to);
    staging.deliver(SLOTS.out1, sums.dyXhat, from, to);
  }

  inputGradient(
    dx: FloatArray,
    dy: FloatArray,
    x: FloatArray,
    by: Normalization,
    means: GradientSums | null,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
    if (valuesPerChannel(layout) === 0) return;
    const staging = this.#staging;
    const bytes = BYTES[layout.dtype];
    const mean = staging.input(SLOTS.mean, by.mean, from, to, 8);
    const invstd = staging.input(SLOTS.invstd, by.invstd, from, to, 8);
    const weight = staging.input(SLOTS.weight, by.weight, from, to, bytes);
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
      this.#stages(rows, values, bytes).inputGradient(
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
      this.#foreign.inputGradient(dx, dy, x, parameters, layout, from, to);
    }
  }

  exactSums(terms: ExactTerms, layout: Layout): ExactSums {
    this.#exact ??= new (exact().Exact)(this.#engine, this.heap, this.#staging);
    return this.#exact.sums(terms, layout);
  }

  #underMask(): Masked {
    this.#masked ??= new (masked().Masked)(this.#engine, this.heap, this.#staging, this.#choose);
    return this.#masked;
  }

  mergeMoments(
    mean: Float64Array,
    m2: Float64Array,
    gathered: Float64Array,
    ranks: number,
    stride: number,
  ): number {
    if (!this.#own(mean, m2) || !this.heap.owns(gathered)) {
      return plainKernels.mergeMoments(mean, m2, gathered, ranks, stride);
    }
    return this.#engine.statistics.mergeMoments(
      mean.byteOffset,
      m2.byteOffset,
      gathered.byteOffset,
      ranks,
      stride * 8,
      mean.length,
    );
  }

  inverseDeviations(invstd: Float64Array, m2: Float64Array, count: number, eps: number): void {
    if (!this.#own(invstd, m2)) {
      plainKernels.inverseDeviations(invstd, m2, count, eps);
      return;
    }
    const { statistics } = this.#engine;
    statistics.inverseDeviations(invstd.byteOffset, m2.byteOffset, invstd.length, count, eps);
  }

  divide(values: Float64Array, divisor: number): void {
    if (!this.heap.owns(values)) plainKernels.divide(values, divisor);
    else this.#engine.statistics.divide(values.byteOffset, values.length, divisor);
  }

  moveRunning(running: FloatArray, batch: Float64Array, divisor: number, share: number): void {
    if (!(running instanceof Float32Array) || !this.#own(running, batch)) {
      plainKernels.moveRunning(running, batch, divisor, share);
      return;
    }
    const { byteOffset, length } = running;
    this.#engine.statistics.moveRunning(byteOffset, batch.byteOffset, length, divisor, share);
  }

  /**
   * Whether both lie in the kernels' memory. What is done with channels between the stages is done
   * plainly where they do not: copying them would take as long.
   */
  #own(one: FloatArray, other: FloatArray): boolean {
    return this.heap.owns(one) && this.heap.owns(other);
  }

  /** The kernels for `rows` rows with `values` of `bytes` bytes to a channel. */
  #stages(rows: number, values: number, bytes: number): Stages {
    const variant = byRows(rows, values, bytes) ? this.#engine.row : this.#engine.plane;
    return bytes === 4 ? variant[4] : variant[8];
  }
}
