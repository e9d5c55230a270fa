/** Pieces of any arrays as numbers of the kernels' memory, and back; 16-bit elements as float32. */

import type { DType, TensorData } from '../../core/dtype.js';
import type { Engine } from './engine.js';
import type { Heap } from './heap.js';
import { copyIn, copyOut, isRun, type Piece } from './pieces.js';
import { isHalf, type Staging } from './staging.js';
import { kernelsOf } from './types.js';

export class Numbers {
  readonly #engine: Engine;
  readonly #heap: Heap;
  readonly #staging: Staging;

  constructor(engine: Engine, heap: Heap, staging: Staging) {
    this.#engine = engine;
    this.#heap = heap;
    this.#staging = staging;
  }

  /** Pointer to a piece's numbers: in place, if they are a run of this memory, or copied. */
  in(index: number, array: TensorData, piece: Piece, dtype: DType): number {
    const direct = this.#direct(array, piece);
    if (!isHalf(dtype)) {
      if (direct !== 0) return direct;
      copyIn(this.#staging.tensor(index, array), array, piece);
    } else {
      const halves = this.#staging.halves(index, dtype);
      if (direct === 0) copyIn(halves, array, piece);
      const { widen } = kernelsOf(dtype, this.#engine);
      widen(this.#staging.pointer(index), direct || halves.byteOffset, piece.rows * piece.width);
    }
    return this.#staging.pointer(index);
  }

  /** Pointer for a result's numbers, to be written before `out`: staging array 0, or in place. */
  place(target: TensorData, piece: Piece, dtype: DType): number {
    const staged = this.#staging.pointer(0);
    return isHalf(dtype) ? staged : this.#direct(target, piece) || staged;
  }

  /** Takes a result from its place to its array. */
  out(target: TensorData, piece: Piece, dtype: DType): void {
    const direct = this.#direct(target, piece);
    if (!isHalf(dtype)) {
      if (direct === 0) copyOut(target, this.#staging.tensor(0, target), piece);
      return;
    }
    const halves = this.#staging.halves(0, dtype);
    const { narrow } = kernelsOf(dtype, this.#engine);
    narrow(direct || halves.byteOffset, this.#staging.pointer(0), piece.rows * piece.width);
    if (direct === 0) copyOut(target, halves, piece);
  }

  /** Address of a piece, if it is a run of the kernels' memory; else 0. */
  #direct(array: TensorData, piece: Piece): number {
    if (!this.#heap.owns(array) || !isRun(piece)) return 0;
    return array.byteOffset + piece.start * array.BYTES_PER_ELEMENT;
  }
}
