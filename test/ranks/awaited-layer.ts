/** One training step of a layer, awaited: what a rank that may not block does. */

import { SyncBatchNorm, Tensor } from 'syncbn';

export interface AwaitedStep {
  x: number[];
  shape: [number, number];
  dy: number[];
}

/** Everything that the step gives, as numbers. */
export async function runAwaitedLayer({ x, shape, dy }: AwaitedStep): Promise<number[][]> {
  const layer = new SyncBatchNorm(shape[1], { dtype: 'float64' });
  const y = await layer.startForward(Tensor.from(x, shape, 'float64')).done();
  const dx = await layer.startBackward(Tensor.from(dy, shape, 'float64')).done();
  const tensors = [y, dx, layer.weight!.grad!, layer.bias!.grad!, layer.runningMean!];
  return tensors.map(({ data }) => Array.from(data, Number));
}
