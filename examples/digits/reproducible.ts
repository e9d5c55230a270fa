/**
 * The demo's network with the same bits on any number of ranks. A sum of float32 depends on its
 * order, and the order of a batch's sums on how the batch is dealt out. So nothing here sums over
 * samples but exact sums: jax-js runs one sample at a time and gives each sample's own gradients,
 * `averageGradients` sums them exactly over all ranks, and the layers are `reproducible`.
 */

import {
  allocateTensor,
  averageGradients,
  Parameter,
  type ProcessGroup,
  SyncBatchNorm,
  Tensor,
} from 'syncbn';
import { CLASSES, SIDE } from './dataset.js';
import { MOMENTUM, NORMALIZED, type NormName, PART_NAMES } from './model.js';
import { type SampleGradients, SamplePart } from './sample-part.js';

const sizeOf = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** A normalisation, and what goes through it in a step. */
class Norm {
  readonly layer: SyncBatchNorm;
  /** Of a sample, and its elements. */
  readonly shape: readonly number[];
  readonly size: number;
  readonly #tensors = new Map<string, Tensor>();

  constructor(name: NormName, group: ProcessGroup) {
    this.shape = NORMALIZED[name];
    this.size = sizeOf(this.shape);
    this.layer = new SyncBatchNorm(this.shape.at(-1) as number, {
      ...{ channelsLast: true, processGroup: group, name },
      ...{ reproducible: true, groupGradients: true },
    });
  }

  /** Memory for `samples` samples, kept for each use. */
  tensor(use: 'x' | 'y' | 'dx' | 'dy', samples: number): Tensor {
    const key = `${use} of ${samples}`;
    const tensor = this.#tensors.get(key) ?? allocateTensor([samples, ...this.shape]);
    this.#tensors.set(key, tensor);
    return tensor;
  }

  sample(use: 'y' | 'dx', samples: number, i: number): Float32Array {
    const { data } = this.tensor(use, samples);
    return (data as Float32Array).subarray(i * this.size, (i + 1) * this.size);
  }
}

/** The network of the ranks in `group`, with its optimizer. */
export class ReproducibleNetwork {
  readonly #group: ProcessGroup;
  readonly #parts: readonly SamplePart[];
  readonly #norms: readonly Norm[];
  readonly #velocities = new Map<Parameter, Float32Array>();

  constructor(group: ProcessGroup, seed: number) {
    this.#group = group;
    const norms = Object.keys(NORMALIZED) as NormName[];
    const shapes = [[SIDE, SIDE, 1], ...norms.map((name) => NORMALIZED[name])];
    this.#parts = PART_NAMES.map((name, i) => new SamplePart(name, shapes[i], seed));
    this.#norms = norms.map((name) => new Norm(name, group));
  }

  /**
   * One step.
   * @param images of this rank, one behind the other; there may be none
   * @param total samples of all ranks
   * @returns the mean loss over all ranks' samples
   */
  step(images: Float32Array, labels: ArrayLike<number>, total: number, rate: number): number {
    const samples = labels.length;
    for (const part of this.#parts) part.begin();
    this.#forward(images, samples);
    const gradients = this.#backward(images, labels);
    for (const part of this.#parts) part.end();
    const losses = new Parameter('loss', Tensor.zeros([1], 'float64'));
    losses.grad = Tensor.from(Float64Array.from(gradients.losses), [samples, 1]);
    const parameters = this.#parts.flatMap((part) => part.parameters);
    parameters.forEach((parameter, p) => {
      // A gradient for each sample: one axis more than the parameter has.
      parameter.grad = new Tensor(
        joined(gradients.weights[p], sizeOf(parameter.data.shape)),
        [samples, ...parameter.data.shape],
        'float32',
      );
    });
    averageGradients([...parameters, losses], {
      ...{ group: this.#group, reproducible: true },
      ...{ sampleCount: samples, lossReduction: 'sum' },
    });
    for (const parameter of parameters) this.#descend(parameter, 1, rate);
    // The layers have summed these over all ranks already.
    for (const { layer } of this.#norms) {
      for (const parameter of layer.parameters()) this.#descend(parameter, total, rate);
    }
    return (losses.grad as Tensor).data[0];
  }

  /** The class of each of `count` images, by running statistics; on this rank alone. */
  classify(images: Float32Array, count: number): number[] {
    let values = images;
    this.#parts.forEach((part, k) => {
      part.begin();
      values = part.forward(values, count);
      part.end();
      if (k === this.#norms.length) return;
      const { layer, shape } = this.#norms[k];
      layer.setTrain(false);
      values = layer.forward(Tensor.from(values, [count, ...shape])).data as Float32Array;
      layer.setTrain(true);
    });
    return Array.from({ length: count }, (_, i) => {
      const own = values.subarray(i * CLASSES, (i + 1) * CLASSES);
      return own.indexOf(Math.max(...own));
    });
  }

  #forward(images: Float32Array, samples: number): void {
    this.#norms.forEach((norm, k) => {
      const [x, y] = [norm.tensor('x', samples), norm.tensor('y', samples)];
      for (let i = 0; i < samples; i++) {
        x.data.set(this.#parts[k].forward(this.#input(k, images, samples, i)), i * norm.size);
      }
      norm.layer.forward(x, { out: y });
    });
  }

  /** What part `k` gets of sample `i`. */
  #input(k: number, images: Float32Array, samples: number, i: number): Float32Array {
    if (k > 0) return this.#norms[k - 1].sample('y', samples, i);
    return images.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
  }

  /** The losses, and for each parameter the gradients of all samples. */
  #backward(images: Float32Array, labels: ArrayLike<number>) {
    const samples = labels.length;
    const losses: number[] = [];
    const weights: Float32Array[][] = [];
    for (let k = this.#parts.length - 1; k >= 0; k--) {
      const part = this.#parts[k];
      const own: Float32Array[][] = part.parameters.map(() => []);
      for (let i = 0; i < samples; i++) {
        const input = this.#input(k, images, samples, i);
        let found: SampleGradients;
        if (k === this.#norms.length) {
          const { loss, ...rest } = part.finish(input, labels[i]);
          losses.push(loss);
          found = rest;
        } else {
          const { shape } = this.#norms[k];
          found = part.backward(input, this.#norms[k].sample('dx', samples, i), shape);
        }
        for (const [p, gradient] of found.weights.entries()) own[p].push(gradient);
        if (k > 0) {
          this.#norms[k - 1].tensor('dy', samples).data.set(found.x, i * this.#norms[k - 1].size);
        }
      }
      weights.unshift(...own);
      if (k === 0) continue;
      const norm = this.#norms[k - 1];
      norm.layer.backward(norm.tensor('dy', samples), { out: norm.tensor('dx', samples) });
    }
    return { losses, weights };
  }

  /** Gradient descent with momentum, in float32. */
  #descend(parameter: Parameter, divisor: number, rate: number): void {
    const { data } = parameter.data;
    const slopes = (parameter.grad as Tensor).toFloats();
    const velocity = this.#velocities.get(parameter) ?? new Float32Array(data.length);
    this.#velocities.set(parameter, velocity);
    for (let i = 0; i < data.length; i++) {
      velocity[i] = velocity[i] * MOMENTUM + slopes[i] / divisor;
      data[i] -= velocity[i] * rate;
    }
  }
}

/** Arrays of `length` elements one behind the other. */
function joined(arrays: readonly Float32Array[], length: number): Float32Array {
  const all = new Float32Array(arrays.length * length);
  arrays.forEach((array, i) => void all.set(array, i * length));
  return all;
}
