/**
 * Exact sums of the columns of a matrix over all its rows on all ranks: they do not depend on how
 * the rows are split, nor on their order. The ranks meet twice, as in merge/exact.ts.
 */

import type { ComputeDType, FloatArray } from '../core/dtype.js';
import { valuesOfWords } from '../core/exact-sum.js';
import { layoutOf } from '../core/layout.js';
import type { Pass } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { Work } from '../group/transport.js';
import type { ExactSums } from '../kernels/kernels.js';
import type { Kernels } from './kernels.js';

export interface Columns {
  readonly kernels: Kernels;
  readonly group: ProcessGroup;
  readonly label: string;
  /** Matrix of this rank; not copied if it is in the kernels' memory. */
  readonly matrix: FloatArray;
  readonly rows: number;
  readonly width: number;
  readonly dtype: ComputeDType;
}

export class ExactColumns implements Pass<Float64Array> {
  /** The sums, once it is over; NaN if a term is not finite. */
  readonly result: Float64Array;
  readonly #columns: Columns;
  readonly #bounds: Float64Array;
  readonly #words: Float64Array;
  #sums: ExactSums | null = null;
  #stage = 0;

  constructor(columns: Columns) {
    const { width } = columns;
    this.#columns = columns;
    this.result = new Float64Array(width);
    this.#bounds = new Float64Array(width);
    this.#words = new Float64Array(2 * width);
  }

  step(): Work<unknown> | null {
    const { group, label } = this.#columns;
    while (this.#stage < 3) {
      const stage = this.#stage++;
      if (stage === 0) this.#begin();
      else if (stage === 1) this.#putWords();
      else valuesOfWords(this.result, this.#words, this.#bounds);
      if (stage === 2 || group.size === 1) continue;
      return stage === 0
        ? group.allReduce(this.#bounds, { op: 'max', label })
        : group.allReduce(this.#words, { label });
    }
    return null;
  }

  #begin(): void {
    const { kernels, matrix: x, rows, width, dtype } = this.#columns;
    const layout = layoutOf([rows, width], false, dtype);
    this.#sums = kernels.exactSums({ x, dy: null, shift: null, precise: false }, layout);
    this.#bounds.set(this.#sums.bounds.subarray(0, width));
  }

  /** The kernels sum squares, too, which are not needed here: they stay on this rank. */
  #putWords(): void {
    const { width } = this.#columns;
    const sums = this.#sums as ExactSums;
    sums.bounds.set(this.#bounds);
    const words = sums.words(sums.bounds);
    this.#sums = null;
    this.#words.set(words.subarray(0, width));
    this.#words.set(words.subarray(2 * width, 3 * width), width);
  }
}
