/** A step of training in the checked mode, with something wrong on one rank. */

import { averageGradients, getRank, Parameter, SyncBatchNorm, Tensor } from 'syncbn';

export type Wrong =
  | 'nothing'
  | 'input'
  | 'output'
  | 'runningMean'
  | 'weight'
  | 'momentum'
  | 'activation'
  | 'parameter';

export interface CheckedScript {
  readonly wrong: Wrong;
  /** Whether passes are awaited. */
  readonly awaited: boolean;
}

/** Everything that a correct step gives, in the order of the calls. */
export async function runChecked({ wrong, awaited }: CheckedScript): Promise<number[]> {
  const guilty = (what: Wrong) => wrong === what && getRank() === 1;
  const momentum = guilty('momentum') ? 0.5 : 0.1;
  const layer = new SyncBatchNorm(2, { name: 'bn', momentum });
  const x = Tensor.from([1, 2, 3, 4, 5, getRank()], [3, 2]);
  if (guilty('runningMean')) layer.runningMean!.data[1] = 7;
  if (guilty('weight')) layer.weight!.data.data[0] = 3;
  const rectifies = wrong === 'output' || guilty('activation');
  const options = rectifies ? ({ activation: 'relu' } as const) : {};
  const y = awaited ? await layer.startForward(x, options).done() : layer.forward(x, options);
  if (guilty('input')) x.data[4] = -5;
  if (guilty('output')) y.data[0] = -y.data[0] - 1;
  const dy = Tensor.ones([3, 2]);
  const dx = awaited ? await layer.startBackward(dy).done() : layer.backward(dy);
  const linear = new Parameter('linear', Tensor.from([1, guilty('parameter') ? -0 : 0]));
  linear.grad = Tensor.ones([2]);
  averageGradients([...layer.parameters(), linear]);
  return [y, dx, linear.grad].flatMap((tensor) => [...tensor.toFloats()]);
}
