/**
 * Averages whose bits do not depend on the order of the ranks, nor, for a parameter with one
 * gradient for each sample, on how the samples are split: exact sums, chunk by chunk.
 */

import {
  allocate,
  type ComputeDType,
  computeDType,
  type FloatArray,
  narrow,
  widen,
} from '../core/dtype.js';
import { formatShape, sameShape, sizeOf } from '../core/layout.js';
import { Parameter } from '../core/parameter.js';
import { Tensor } from '../core/tensor.js';
import type { Pass } from '../group/pass.js';
import type { Work } from '../group/transport.js';
import { ExactColumns } from '../ops/exact-columns.js';
import { currentKernels, type Kernels } from '../ops/kernels.js';
import { type Average, type Known, knowing } from './average-pass.js';
import { type GradientHolder, gradientOf, type Target } from './targets.js';

/** Columns that are summed at a time: their words stay in the cache. */
const CHUNK = 16_384;

/** A target with a gradient for each of `rows` samples, or the one gradient of the rank. */
export interface RowsTarget extends Target {
  readonly rows: number;
}

/**
 * Reads the gradients of a holder, by rows.
 * @throws RangeError for a gradient that is neither of the parameter's shape nor of (n, ...shape)
 */
export function rowsOf(holder: GradientHolder, caller: string): RowsTarget {
  const target = gradientOf(holder, caller);
  if (!(holder instanceof Parameter)) return { ...target, rows: 1 };
  const { shape, dtype } = holder.data;
  const given = target.shape;
  const isPerSample = given.length === shape.length + 1 && sameShape(given.slice(1), shape);
  if (!isPerSample && !sameShape(given, shape)) {
    throw new RangeError(
      `${caller}: the gradient of '${holder.name}' must have shape ${formatShape(shape)}, or one ` +
        `axis of samples before it, got ${formatShape(given)}`,
    );
  }
  const rows = target.data === null ? 0 : isPerSample ? given[0] : 1;
  return { name: target.name, shape, dtype, length: sizeOf(shape), data: target.data, rows };
}

/** Replaces the targets' data by their exact averages. @param optional as of `averagePass` */
export function exactPass(
  targets: readonly RowsTarget[],
  optional: readonly number[],
  by: Average,
): Pass<void> {
  const average = ({ total, flags }: Pick<Known, 'total' | 'flags'>): Pass<void> => {
    const lacking = new Set(optional.filter((_, place) => flags[place] === 0));
    const given = targets.filter((_, i) => !lacking.has(i));
    // Nothing is read if there are no samples: all sums are 0, and so are the averages.
    return total === 0
      ? new ExactAverage(given, { ...by, own: 0 }, 1)
      : new ExactAverage(given, by, total);
  };
  if (by.group.size > 1) return knowing(targets, optional, by, average);
  const flags = Float64Array.from(optional, (i) => (targets[i].data === null ? 0 : 1));
  return average({ total: by.total, flags });
}

/** Puts the exact average into a holder. */
export function putAverage(holder: GradientHolder, { shape, dtype, data }: Target): void {
  if (!(holder instanceof Parameter) || data === null) return;
  const { grad } = holder;
  if (grad === null || grad.data !== data || !sameShape(grad.shape, shape)) {
    holder.grad = new Tensor(data, shape, dtype);
  }
}

/** Averages `targets`, each of which some rank has; their `data` is then the average. */
export class ExactAverage implements Pass<void> {
  readonly result = undefined;
  readonly #targets: readonly RowsTarget[];
  readonly #by: Average;
  readonly #divisor: number;
  readonly #kernels: Kernels = currentKernels();
  /** The target, its average so far, and the columns that are summed now. */
  #place = 0;
  #average: Float64Array | null = null;
  #from = 0;
  #sums: ExactColumns | null = null;
  #matrix: FloatArray | null = null;

  /** @param divisor of all ranks */
  constructor(targets: readonly RowsTarget[], by: Average, divisor: number) {
    this.#targets = targets;
    this.#by = by;
    this.#divisor = divisor;
  }

  step(): Work<unknown> | null {
    for (;;) {
      if (this.#sums === null && !this.#next()) break;
      const sums = this.#sums as unknown as ExactColumns;
      const work = sums.step();
      if (work !== null) return work;
      this.#take(sums.result);
    }
    this.abandon();
    return null;
  }

  abandon(): void {
    if (this.#matrix !== null) this.#kernels.release(this.#matrix);
    this.#matrix = null;
  }

  /** Begins the next columns; false if there are no more. */
  #next(): boolean {
    for (; this.#place < this.#targets.length; this.#place++) {
      const target = this.#targets[this.#place];
      this.#average ??= new Float64Array(target.length);
      if (this.#from < target.length) {
        const width = Math.min(CHUNK, target.length - this.#from);
        this.#sums = this.#columns(target, width);
        return true;
      }
      this.#finish(target, this.#average);
      this.#average = null;
      this.#from = 0;
    }
    return false;
  }

  #columns({ data, dtype, rows, length }: RowsTarget, width: number): ExactColumns {
    const { group, label, own } = this.#by;
    // Products of float32 and a count are exact only in float64; means over no samples are 0 / 0.
    const type = own === 1 ? computeDType(dtype) : 'float64';
    const count = own === 0 || data === null ? 0 : rows;
    const matrix = this.#room(type, count * width);
    for (let row = 0; row < count; row++) {
      const at = row * length + this.#from;
      const values = widen(data!.subarray(at, at + width), dtype);
      matrix.set(values, row * width);
      if (own !== 1) for (let i = 0; i < width; i++) matrix[row * width + i] *= own;
    }
    const kernels = this.#kernels;
    return new ExactColumns({ kernels, group, label, matrix, rows: count, width, dtype: type });
  }

  /** Memory of the kernels for `length` numbers. */
  #room(type: ComputeDType, length: number): FloatArray {
    const kind = type === 'float64' ? Float64Array : Float32Array;
    const there = this.#matrix;
    if (there !== null && there instanceof kind && there.length >= length) {
      return there.subarray(0, length);
    }
    this.abandon();
    this.#matrix = this.#kernels.allocate(type, length);
    return this.#matrix;
  }

  #take(sums: Float64Array): void {
    const average = this.#average as Float64Array;
    for (let i = 0; i < sums.length; i++) average[this.#from + i] = sums[i] / this.#divisor;
    this.#from += sums.length;
    this.#sums = null;
  }

  #finish(target: RowsTarget, average: Float64Array): void {
    const { dtype, length } = target;
    if (target.data === null || target.data.length !== length) {
      target.data = allocate(dtype, length);
    }
    narrow(average, target.data, dtype);
  }
}
