/** Forward and backward of worlds of threads, against copy and triad in the same memory. */

import { Worker } from 'node:worker_threads';
import { createThreadWorld } from '../src/group/thread/world.js';
import type { Measurement, RankData } from './rank.js';
import type { Task } from './shapes.js';

export interface LayerOptions {
  readonly tasks: readonly Task[];
  readonly relaxed: boolean;
  /** Seconds for each task. */
  readonly seconds: number;
  /** Called with each measurement as it comes. */
  readonly onMeasurement: (measurement: Measurement) => void;
}

/** Measures all tasks in one new world. Rejects with the first rank's error. */
export async function measureLayers(ranks: number, options: LayerOptions): Promise<Measurement[]> {
  const { onMeasurement, ...rest } = options;
  const measurements: Measurement[] = [];
  const workers = createThreadWorld(ranks).map((syncbn) => {
    const workerData: RankData = { syncbn, ...rest };
    return new Worker(new URL('./rank.js', import.meta.url), { workerData });
  });
  try {
    await Promise.all(
      workers.map((worker) => {
        worker.on('message', (measurement: Measurement) => {
          measurements.push(measurement);
          onMeasurement(measurement);
        });
        return new Promise<void>((resolve, reject) => {
          worker.on('error', reject);
          worker.on('exit', () => resolve());
        });
      }),
    );
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
  return measurements;
}
