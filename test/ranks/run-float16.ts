/** A layer and an average over float16 tensors, which are views of a Float16Array if asked to be. */

import { averageGradients, SyncBatchNorm, Tensor } from 'syncbn';

export interface Float16Script {
  /** Bit patterns. */
  x: number[];
  dy: number[];
  shape: number[];
  /** True if tensors wrap arrays of the engine's Float16Array. */
  wraps: boolean;
}

export interface Float16Report {
  /** Bit patterns. */
  y: number[];
  dx: number[];
  /** Of dy over all ranks. */
  averaged: number[];
  dweight: number[];
  runningVar: number[];
  /** The elements of y, dx and the average by another view, as the engine reads them; or none. */
  seen: number[][];
}

type Float16 = { new (values: readonly number[]): ArrayLike<number> & ArrayBufferView };

/** A tensor of bit patterns. */
function tensorOf(patterns: readonly number[], { shape, wraps }: Float16Script): Tensor {
  const bits = Uint16Array.from(patterns);
  if (!wraps) return Tensor.from(bits, shape, 'float16');
  const { Float16Array } = globalThis as unknown as { Float16Array: Float16 };
  return Tensor.from(new Float16Array(bits.buffer as never), shape);
}

export function runFloat16(script: Float16Script): Float16Report {
  const { shape, wraps } = script;
  const [x, dy] = [tensorOf(script.x, script), tensorOf(script.dy, script)];
  const zeros = () =>
    tensorOf(
      script.x.map(() => 0),
      script,
    );
  const [y, dx] = [zeros(), zeros()];
  const layer = new SyncBatchNorm(shape[1], { dtype: 'float16' });
  layer.forward(x, { out: y });
  layer.backward(dy, { out: dx });
  averageGradients([dy]);
  const results = [y, dx, dy];
  const [first, second, third] = results.map(({ data }) => [...data]);
  return {
    ...{ y: first, dx: second, averaged: third },
    dweight: [...layer.weight.grad!.data],
    runningVar: [...layer.runningVar!.data],
    seen: wraps ? results.map((tensor) => Array.from(tensor.toFloat16Array())) : [],
  };
}
