/** Training steps of the demo's network in jax-js, on ranks that share one device. */

import { launch } from 'syncbn/launch';
import type { DigitsReport } from './digits-rank.js';
import type { PartOptions, Times } from './part.js';

export async function measureDigits(
  device: 'webgpu' | 'wasm',
  { steps, batches, ranks: sizes }: PartOptions,
  script: URL,
  emit: (times: Times) => void,
): Promise<void> {
  for (const ranks of sizes) {
    const options = { workerNum: ranks, timeout: 60, data: { device, steps, batches } };
    const world = launch<DigitsReport>(script, {
      ...options,
      onMessage(message, rank) {
        // As they come: the part may run past its limit.
        if (rank === 0) emit({ device, ranks, ...(message as DigitsReport[number]) });
      },
    });
    await world.done;
  }
}
