/** What a worker does once it is a rank, wherever it meets the others. */

import { createGroup, getGroupSize, getRank } from 'syncbn';
import type { RankMessage, RankSettings } from './protocol.js';
import { train } from './train.js';

/** Trains this rank's part. @param blocks whether the rank may block, or must await the others */
export async function trainRank(settings: RankSettings, blocks: boolean): Promise<void> {
  const everyone = createGroup(
    'everyone',
    Array.from({ length: getGroupSize() }, (_, rank) => rank),
  );
  const alone = createGroup(`rank ${getRank()} alone`, [getRank()]);
  const peers = settings.synchronized ? everyone : alone;
  const trainer = await makeTrainer(settings, blocks, everyone, peers);
  await train(trainer, settings, (message: RankMessage) => postMessage(message));
}

type Group = ReturnType<typeof createGroup>;

/** Loads the framework that was chosen, and not the other. */
async function makeTrainer(
  { framework, seed }: RankSettings,
  blocks: boolean,
  everyone: Group,
  peers: Group,
) {
  if (framework === 'jax') {
    const { jaxTrainer } = await import('./jax.js');
    return jaxTrainer(everyone, peers, seed, blocks);
  }
  const { tfjsTrainer } = await import('./tfjs.js');
  return tfjsTrainer(everyone, peers, seed);
}
