/** A layer of the package with its tensors, in the kernels' memory; forward and backward at will. */

import type { FloatArray } from '../src/core/dtype.js';
import type { Tensor } from '../src/core/tensor.js';
import type { ForwardContext } from '../src/layers/context.js';
import { SyncBatchNorm } from '../src/layers/sync-batch-norm.js';
import { allocateTensor } from '../src/ops/allocate.js';
import type { Saved } from '../src/ops/backward.js';

export class Pass {
  readonly layer: SyncBatchNorm;
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly y: Tensor;
  readonly dx: Tensor;
  #context: ForwardContext | null = null;
  #saved: Saved | null = null;

  constructor(shape: readonly number[], channelsLast: boolean) {
    const channels = shape[channelsLast ? shape.length - 1 : 1];
    this.layer = new SyncBatchNorm(channels, { channelsLast, name: 'bench' });
    const tensor = () => allocateTensor(shape);
    [this.x, this.dy, this.y, this.dx] = [tensor(), tensor(), tensor(), tensor()];
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

  release(): void {
    for (const tensor of [this.x, this.dy, this.y, this.dx]) tensor.dispose();
  }
}
