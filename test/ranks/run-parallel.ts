/** Averages gradients and broadcasts parameters as a test describes them, and trains a small model. */

import {
  type AverageOptions,
  averageGradients,
  broadcastParameters,
  createGroup,
  type DType,
  type GradientHolder,
  Parameter,
  SyncBatchNorm,
  skipTogether,
  startSkipTogether,
  Tensor,
} from 'syncbn';

/** Something with a gradient. */
export interface Holder {
  kind: 'parameter' | 'tensor' | 'array';
  dtype: DType;
  /** Its gradient, or its value for a broadcast; null: a parameter of `size` without gradient. */
  values: number[] | null;
  /** Of a parameter. Default 'p'. */
  name?: string;
  size?: number;
}

export interface ParallelScript {
  holders: Holder[];
  options?: AverageOptions;
  group?: { name: string; ranks: number[] };
  /** Broadcasts values from this root instead of averaging. */
  root?: number;
}

export function runParallel({
  holders,
  options,
  group,
  root,
}: ParallelScript): (number[] | null)[] {
  const among = group === undefined ? {} : { group: createGroup(group.name, group.ranks) };
  const made = holders.map((holder) => make(holder, root !== undefined));
  if (root !== undefined) {
    broadcastParameters(made, { root, ...among });
    return made.map((holder) => numbers(holder instanceof Parameter ? holder.data : holder));
  }
  averageGradients(made, { ...options, ...among });
  return made.map((holder) => {
    const gradient = holder instanceof Parameter ? holder.grad : holder;
    return gradient && numbers(gradient);
  });
}

function make({ kind, dtype, values, size, name = 'p' }: Holder, asValue: boolean): GradientHolder {
  if (kind === 'array') {
    return dtype === 'float64' ? Float64Array.from(values!) : Float32Array.from(values!);
  }
  const shape = [values?.length ?? size!];
  const tensor = values === null ? null : Tensor.from(values, shape, dtype);
  if (kind === 'tensor') return tensor!;
  const parameter = new Parameter(name, asValue ? tensor! : Tensor.zeros(shape, dtype));
  parameter.grad = tensor;
  return parameter;
}

const numbers = (holder: Exclude<GradientHolder, Parameter>) =>
  Array.from(holder instanceof Tensor ? holder.toFloats() : holder);

/** This rank's samples: rows of `inputs` numbers, and a target of `features` numbers for each. */
export interface ModelScript {
  inputs: number;
  features: number;
  x: number[][];
  targets: number[][];
  /** Weights of the linear layer, inputs x features; only rank 0's count. */
  weights: number[];
  steps: number;
  learningRate: number;
}

/**
 * Trains h = x W, z = SyncBatchNorm(h), loss = sum of |z - t|^2 / 2, in float64 by gradient
 * descent on the loss per sample; returns all parameters and running statistics.
 */
export function trainModel(script: ModelScript): number[][] {
  const { inputs, features, x, targets, weights, steps, learningRate } = script;
  const linear = new Parameter('W', Tensor.from(weights, [inputs, features], 'float64'));
  const norm = new SyncBatchNorm(features, { dtype: 'float64' });
  broadcastParameters([linear]);
  const parameters = [linear, ...norm.parameters()];
  for (let step = 0; step < steps; step++) {
    const w = linear.data.toFloats();
    const h = x.flatMap((row) =>
      Array.from({ length: features }, (_, f) =>
        row.reduce((sum, value, i) => sum + value * w[i * features + f], 0),
      ),
    );
    const z = norm.forward(Tensor.from(h, [x.length, features], 'float64'));
    const dz = Array.from(z.data, (value, i) => value - targets.flat()[i]);
    const dh = norm.backward(Tensor.from(dz, z.shape, 'float64')).toFloats();
    const dw = Float64Array.from(w, (_, i) =>
      x.reduce(
        (sum, row, n) => sum + row[Math.floor(i / features)] * dh[n * features + (i % features)],
        0,
      ),
    );
    linear.grad = Tensor.from(dw, linear.data.shape);
    averageGradients(parameters, { sampleCount: x.length, lossReduction: 'sum' });
    for (const { data, grad } of parameters) {
      const slope = grad!.toFloats();
      for (let i = 0; i < slope.length; i++) data.data[i] -= learningRate * slope[i];
    }
  }
  const state = Object.values(norm.stateDict());
  return [linear.data, ...state].map((tensor) => Array.from(tensor.toFloats()));
}

export interface SkipScript {
  /** What this rank wants to skip, step by step. */
  wishes: readonly boolean[];
  how: 'now' | 'awaited';
  group?: { name: string; ranks: number[] };
}

/** Trains a layer on the steps that nobody skips: the answers, and how many batches it has seen. */
export async function runSkips({ wishes, how, group }: SkipScript) {
  const processGroup = group === undefined ? null : createGroup(group.name, group.ranks);
  const layer = new SyncBatchNorm(1, { name: 'bn', processGroup });
  const options = { group: layer.processGroup };
  const answers: boolean[] = [];
  for (const wish of wishes) {
    const skip =
      how === 'now' ? skipTogether(wish, options) : await startSkipTogether(wish, options).done();
    answers.push(skip);
    if (!skip) layer.forward(Tensor.from([1, 2], [2, 1]));
  }
  return { answers, batches: layer.numBatchesTracked.data[0] };
}
