/** Averages gradients and broadcasts parameters as a test describes them. */

import {
  type AverageOptions,
  averageGradients,
  broadcastParameters,
  Parameter,
  Tensor,
} from 'syncbn';

export interface ParallelScript {
  /** Gradients of this rank; null: the parameter has none. */
  gradients: (number[] | null)[];
  sizes: number[];
  options: AverageOptions;
  /** Instead of averaging: values that rank `root` sends. */
  broadcast?: { values: number[]; root: number };
}

export function runParallel({ gradients, sizes, options, broadcast }: ParallelScript): number[][] {
  if (broadcast !== undefined) {
    const holder = new Parameter('weight', Tensor.from(broadcast.values));
    broadcastParameters([holder], { root: broadcast.root });
    return [Array.from(holder.data.toFloats())];
  }
  const parameters = gradients.map((values, i) => {
    const parameter = new Parameter(`p${i}`, Tensor.zeros([sizes[i]]));
    if (values !== null) parameter.grad = Tensor.from(values);
    return parameter;
  });
  averageGradients(parameters, options);
  return parameters.map(({ grad }) => Array.from(grad!.toFloats()));
}
