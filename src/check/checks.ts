/** Checks that the ranks reach one another, and that a layer over all of them is right. */

import { Tensor } from '../core/tensor.js';
import type { ProcessGroup } from '../group/process-group.js';
import { createGroup } from '../group/world.js';
import { SyncBatchNorm } from '../layers/sync-batch-norm.js';

const CHANNELS = 5;
const SAMPLES = 7;
const EPS = 1e-5;
/** Greatest error of values near 1, in float64. */
const TOLERANCE = 1e-9;

/** Returns lines about pairs of ranks whose sum is wrong. A pair that cannot be reached throws. */
export function checkPairs(world: ProcessGroup): string[] {
  const lines: string[] = [];
  for (let low = 0; low < world.size; low++) {
    for (let high = low + 1; high < world.size; high++) {
      const pair = createGroup(`check ${low} ${high}`, [low, high]);
      if (pair.rank < 0) continue;
      const [sum] = pair.allReduce(Float64Array.of(world.rank + 1)).wait();
      if (sum !== low + high + 2) lines.push(`ranks ${low} and ${high} add up to ${sum}`);
    }
  }
  return lines;
}

/** Returns lines about a layer that differs from its formula, or between ranks by a bit. */
export function checkLayer(world: ProcessGroup): string[] {
  const own = valuesOf(world.rank);
  const layer = new SyncBatchNorm(CHANNELS, { eps: EPS, dtype: 'float64', name: 'check' });
  const y = layer.forward(Tensor.from(own, [SAMPLES, CHANNELS], 'float64')).data;
  const all = Array.from({ length: world.size }, (_, rank) => valuesOf(rank)).flat();
  const error = Math.max(...own.map((x, i) => Math.abs(y[i] - normalized(all, x, i % CHANNELS))));
  const lines = error <= TOLERANCE ? [] : [`a layer is off by ${error} on rank ${world.rank}`];
  const mean = Float64Array.from(layer.runningMean?.data ?? []);
  const least = world.allReduce(mean.slice(), { op: 'min' }).wait();
  const most = world.allReduce(mean.slice(), { op: 'max' }).wait();
  if (least.some((value, i) => value !== most[i])) lines.push('statistics differ between ranks');
  return lines;
}

/** Numbers of a rank, without a pattern. */
function valuesOf(rank: number): number[] {
  return Array.from({ length: SAMPLES * CHANNELS }, (_, i) => 3 + Math.sin(7 * i + 13 * rank));
}

function normalized(all: readonly number[], x: number, channel: number): number {
  const values = all.filter((_, i) => i % CHANNELS === channel);
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return (x - mean) / Math.sqrt(squares / values.length + EPS);
}
