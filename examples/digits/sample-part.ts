/** A part of the demo's network between two normalisations, run by jax-js one sample at a time. */

import { jit, numpy as np, tree, vjp } from '@jax-js/jax';
import { Parameter, Tensor } from 'syncbn';
import { crossEntropy, initial, parts } from './model.js';

export type PartName = keyof typeof parts;
type Weights = Record<string, np.Array>;
type Inputs = { x: np.Array; weights: Weights };
type Run = (x: np.Array, weights: Weights) => np.Array;

/** Gradients of one sample: of the part's input, and of each parameter. */
export interface SampleGradients {
  readonly x: Float32Array;
  readonly weights: readonly Float32Array[];
}

export class SamplePart {
  readonly parameters: readonly Parameter[];
  /** Shape of a sample that goes in. */
  readonly #shape: readonly number[];
  readonly #keys: readonly string[];
  readonly #forward: ReturnType<typeof jit<Run>>;
  readonly #backward: (inputs: Inputs, cotangent: np.Array) => Inputs;
  readonly #finish: (inputs: Inputs, label: np.Array) => { loss: np.Array; inputs: Inputs };
  /** The parameters of the step as jax-js has them. */
  #weights: Weights = {};

  constructor(name: PartName, shape: readonly number[], seed: number) {
    const run = parts[name] as unknown as Run;
    const values = Object.entries(initial[name](seed)) as [string, np.Array][];
    this.#shape = shape;
    this.#keys = values.map(([key]) => key);
    this.parameters = values.map(([key, array]) => {
      const { shape: sizes } = array;
      const tensor = Tensor.from(array.dataSync() as Float32Array, sizes).clone();
      return new Parameter(`${name}.${key}`, tensor);
    });
    this.#forward = jit(run);
    // `vjp` of a jitted function, inside `jit`: otherwise every call would be traced anew.
    const traced = jit(({ x, weights }: Inputs) => [run(x, weights)]);
    this.#backward = jit((inputs: Inputs, cotangent: np.Array) => {
      const [[unused], pull] = vjp(traced, [inputs]);
      unused.dispose();
      return pull([cotangent])[0] as Inputs;
    });
    const loss = jit(({ x, weights }: Inputs, label: np.Array) => [
      crossEntropy(run(x, weights), label),
    ]);
    this.#finish = jit((inputs: Inputs, label: np.Array) => {
      const [[value], pull] = vjp((own: Inputs) => loss(own, label), [inputs]);
      const [gradients] = pull([np.onesLike(value.ref)]) as [Inputs];
      return { loss: value, inputs: gradients };
    });
  }

  /** Hands the parameters to jax-js, until {@link end}. */
  begin(): void {
    const arrays = this.parameters.map(({ data }, i) => [
      this.#keys[i],
      np.array(data.data.slice() as Float32Array, { shape: [...data.shape] }),
    ]);
    this.#weights = Object.fromEntries(arrays);
  }

  end(): void {
    tree.dispose(this.#weights);
  }

  /** What comes out of `count` samples, side by side. */
  forward(samples: Float32Array, count = 1): Float32Array {
    const { x, weights } = this.#inputs(samples, count);
    return this.#forward(x, weights).dataSync() as Float32Array;
  }

  backward(sample: Float32Array, cotangent: Float32Array, shape: readonly number[]) {
    const of = np.array(cotangent.slice(), { shape: [1, ...shape] });
    return this.#read(this.#backward(this.#inputs(sample, 1), of));
  }

  /** The loss of a sample, from the last part. */
  finish(sample: Float32Array, label: number): SampleGradients & { loss: number } {
    const labels = np.array(Int32Array.of(label));
    const { loss, inputs } = this.#finish(this.#inputs(sample, 1), labels);
    return { loss: (loss.dataSync() as Float32Array)[0], ...this.#read(inputs) };
  }

  #inputs(samples: Float32Array, count: number): Inputs {
    const x = np.array(samples.slice(), { shape: [count, ...this.#shape] });
    return { x, weights: tree.ref(this.#weights) };
  }

  #read({ x, weights }: Inputs): SampleGradients {
    const own = this.#keys.map((key) => weights[key].dataSync() as Float32Array);
    return { x: x.dataSync() as Float32Array, weights: own };
  }
}
