/** Tensors of a layer's calls, shared by the ways that take the same kind: memory is not endless. */

import type { DType } from '../../src/core/dtype.js';
import { Tensor } from '../../src/core/tensor.js';
import { allocateTensor } from '../../src/ops/allocate.js';

export interface TensorSet {
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly add: Tensor;
  readonly y: Tensor;
  readonly dx: Tensor;
  /** Gets the gradient of `add`. */
  readonly dadd: Tensor;
}

export class Tensors {
  readonly #sets = new Map<string, TensorSet>();

  of(shape: readonly number[], dtype: DType, isForeign: boolean): TensorSet {
    const key = `${dtype} ${isForeign}`;
    const make = () => (isForeign ? Tensor.zeros(shape, dtype) : allocateTensor(shape, dtype));
    const set = this.#sets.get(key) ?? {
      ...{ x: make(), dy: make(), add: make(), y: make(), dx: make(), dadd: make() },
    };
    this.#sets.set(key, set);
    return set;
  }

  /** Gives the memory back. */
  clear(): void {
    for (const set of this.#sets.values()) {
      for (const tensor of Object.values(set) as Tensor[]) tensor.dispose();
    }
    this.#sets.clear();
  }
}
