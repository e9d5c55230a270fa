/** Recomputes running statistics over the batches that a test gives this rank. */

import { GlobalBatchNorm, init, SyncBatchNorm, Tensor } from 'syncbn';
import { recomputeRunningStatistics } from 'syncbn/models';

export interface RecomputeScript {
  kind: 'SyncBatchNorm' | 'GlobalBatchNorm';
  /** Rows of two numbers, by batch; null: the rank throws in its place. */
  batches: (number[][] | null)[];
  /** Batches of training before. */
  before?: number[][][];
}

/** Mean, variance, number of batches and mode at the end, or the error. */
export async function recompute({ kind, batches, before = [] }: RecomputeScript) {
  await init();
  const layer =
    kind === 'SyncBatchNorm'
      ? new SyncBatchNorm(2, { name: 'bn' })
      : new GlobalBatchNorm(2, { name: 'bn' });
  const run = (rows: number[][]) => layer.forward(Tensor.from(rows.flat(), [rows.length, 2]));
  layer.setTrain(true);
  for (const rows of before) run(rows);
  layer.setTrain(false);
  let error: string | null = null;
  try {
    await recomputeRunningStatistics([layer, layer], async () => {
      for (const rows of batches) {
        if (rows === null) throw new Error('no such file');
        run(rows);
        await Promise.resolve();
      }
    });
  } catch (thrown) {
    error = `${(thrown as Error).name}: ${(thrown as Error).message}`;
  }
  const [mean, variance] =
    layer instanceof SyncBatchNorm
      ? [layer.runningMean, layer.runningVar]
      : [layer.movingMean, layer.movingVariance];
  const batchesSeen = layer instanceof SyncBatchNorm ? layer.numBatchesTracked.data[0] : null;
  const values = { mean: [...mean.toFloats()], variance: [...variance.toFloats()] };
  return { ...values, batches: batchesSeen, training: layer.training, error };
}
