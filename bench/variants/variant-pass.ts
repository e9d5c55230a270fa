/** A layer that runs in one way. */

import { allocate, type DType, narrow, widen } from '../../src/core/dtype.js';
import type { Tensor } from '../../src/core/tensor.js';
import type { ForwardOptions } from '../../src/layers/context.js';
import { SyncBatchNorm } from '../../src/layers/sync-batch-norm.js';
import { EPS, type Errors, errorsOf } from '../data.js';
import { shapeNamed } from '../shapes.js';
import type { VariantTask } from './measure.js';
import { type Numbers, placesOf, referenceOf } from './reference.js';
import type { TensorSet, Tensors } from './tensors.js';
import type { VariantName } from './variants.js';

const APART = 'add and relu apart';

export class VariantPass {
  /** Of the tensors. */
  readonly dtype: DType;
  readonly #task: VariantTask;
  readonly #name: VariantName;
  readonly #layer: SyncBatchNorm;
  readonly #set: TensorSet;
  readonly #options: ForwardOptions;
  readonly #hasAdd: boolean;
  readonly #rectify: boolean;
  readonly #places: Uint8Array | null;

  constructor(task: VariantTask, name: VariantName, tensors: Tensors) {
    const { channelsLast } = task;
    const shape = shapeNamed(task.shape, channelsLast);
    this.#task = task;
    this.#name = name;
    this.dtype = name === 'float16' || name === 'bfloat16' ? name : 'float32';
    this.#layer = new SyncBatchNorm(shape[channelsLast ? shape.length - 1 : 1], {
      ...{ channelsLast, eps: EPS, name: 'bench', reproducible: name === 'reproducible' },
    });
    this.#set = tensors.of(shape, this.dtype, name === 'foreign');
    this.#hasAdd = name.startsWith('add');
    this.#rectify = name.includes('relu');
    this.#places = name.startsWith('mask') ? placesOf(task) : null;
    const { add, y } = this.#set;
    this.#options = {
      out: y,
      ...(this.#places && { mask: this.#places }),
      ...(name === 'mask, zeros' && { maskedOutput: 'zero' }),
      ...(this.#hasAdd && name !== APART && { add }),
      ...(this.#rectify && name !== APART && { activation: 'relu' }),
    };
  }

  /** The numbers nearest to `values` that the tensors hold. */
  rounded(values: Float64Array): Float64Array {
    const stored = allocate(this.dtype, values.length);
    narrow(values, stored, this.dtype);
    return Float64Array.from(widen(stored, this.dtype));
  }

  fill({ x, dy, add, weight, bias }: Numbers): void {
    const set = this.#set;
    for (const [tensor, values] of [
      [set.x, x],
      [set.dy, dy],
      [set.add, add],
      [this.#layer.weight.data, weight],
      [this.#layer.bias.data, bias],
    ] as const) {
      narrow(values, tensor.data, tensor.dtype);
    }
  }

  forward(): void {
    const { x, add, y } = this.#set;
    this.#layer.forward(x, this.#options);
    if (this.#name !== APART) return;
    addInto(y.data, add.data);
    rectify(y.data);
  }

  /** Forward and backward, as a training step calls them. */
  train(): void {
    const { dy, dx, dadd, y } = this.#set;
    this.forward();
    if (this.#name === APART) {
      gate(dadd.data, dy.data, y.data);
      this.#layer.backward(dadd, { out: dx });
      return;
    }
    // Of an addition alone the gradient is dy itself.
    const needsPlace = this.#hasAdd && this.#rectify;
    this.#layer.backward(dy, { out: dx, ...(needsPlace && { addOut: dadd }) });
  }

  /** Of the last forward and backward calls. */
  errors(rank: number, numbers: readonly Numbers[]): Errors {
    const way = {
      ...{ hasAdd: this.#hasAdd, rectify: this.#rectify, places: this.#places },
      zero: this.#name === 'mask, zeros',
    };
    const { y, dx, dadd } = this.#set;
    const got = (tensor: Tensor) => Float64Array.from(tensor.toFloats());
    const want = referenceOf(this.#task, way, rank, numbers, got(y));
    const gradient = (of: 'weight' | 'bias') => got(this.#layer[of].grad!);
    const [dweight, dbias] = [gradient('weight'), gradient('bias')];
    const errors = errorsOf({ y: got(y), dx: got(dx), dweight, dbias }, want);
    if (!this.#hasAdd || !this.#rectify) return errors;
    // The gradient of what was added is moved, not computed.
    const isSame = got(dadd).every((value, i) => value === want.dadd[i]);
    return isSame ? errors : { ...errors, training: Number.POSITIVE_INFINITY };
  }
}

/** As a program does it that has no such options. */
function addInto(y: Tensor['data'], add: Tensor['data']): void {
  for (let i = 0; i < y.length; i++) y[i] += add[i];
}

function rectify(y: Tensor['data']): void {
  for (let i = 0; i < y.length; i++) if (y[i] < 0) y[i] = 0;
}

function gate(g: Tensor['data'], dy: Tensor['data'], y: Tensor['data']): void {
  for (let i = 0; i < g.length; i++) g[i] = y[i] <= 0 ? 0 : dy[i];
}
