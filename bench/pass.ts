/** A layer of the package with its tensors, in the kernels' memory; forward and backward at will. */

import type { FloatArray } from '../src/core/dtype.js';
import type { Tensor } from '../src/core/tensor.js';
import type { ForwardContext } from '../src/layers/context.js';
import { SyncBatchNorm } from '../src/layers/sync-batch-norm.js';
import { allocateTensor } from '../src/ops/allocate.js';
import type { Saved } from '../src/ops/backward.js';
import { EPS, fillData, type LayerResults } from './data.js';
import { shapeNamed, type Task } from './shapes.js';

export class Pass {
  readonly layer: SyncBatchNorm;
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly y: Tensor;
  readonly dx: Tensor;
  #context: ForwardContext | null = null;
  #saved: Saved | null = null;

  /** The layer of a task, filled with a rank's numbers. */
  constructor(task: Task, rank: number) {
    const { channelsLast, dtype } = task;
    const shape = shapeNamed(task.shape, channelsLast);
    const channels = shape[channelsLast ? shape.length - 1 : 1];
    this.layer = new SyncBatchNorm(channels, { channelsLast, dtype, eps: EPS, name: 'bench' });
    const tensor = () => allocateTensor(shape, dtype);
    [this.x, this.dy, this.y, this.dx] = [tensor(), tensor(), tensor(), tensor()];
    const [x, dy] = [this.x.toFloats(), this.dy.toFloats()];
    fillData({ x, dy, weight: this.weight, bias: this.bias }, task, rank);
  }

  get weight(): FloatArray {
    return this.layer.weight!.data.toFloats();
  }

  get bias(): FloatArray {
    return this.layer.bias!.data.toFloats();
  }

  forward(): void {
    this.layer.forward(this.x, { out: this.y });
  }

  /** Forward and backward, as a training step calls them. */
  train(): void {
    this.forward();
    this.layer.backward(this.dy, { out: this.dx });
  }

  /** A forward pass whose backward pass can be run any number of times. */
  prepareBackward(): void {
    const { context } = this.layer.forwardWithContext(this.x, { out: this.y });
    this.#context = context;
    this.#saved = context.saved;
  }

  backward(): void {
    const context = this.#context!;
    // A context serves one backward pass; the clock wants many.
    context.saved = this.#saved;
    this.layer.backward(this.dy, { context, out: this.dx });
  }

  /** What the last forward and backward calls computed. */
  results(): LayerResults {
    return {
      y: this.y.toFloats(),
      dx: this.dx.toFloats(),
      dweight: this.layer.weight!.grad!.toFloats(),
      dbias: this.layer.bias!.grad!.toFloats(),
    };
  }

  release(): void {
    for (const tensor of [this.x, this.dy, this.y, this.dx]) tensor.dispose();
  }
}
