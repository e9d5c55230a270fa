/** Script of the workers. */

import { createGroup, getGroupSize, getRank } from 'syncbn';
import { runRank } from 'syncbn/browser';
import type { RankSettings } from './protocol.js';
import { train } from './train.js';

runRank(async (settings: RankSettings) => {
  const everyone = createGroup(
    'everyone',
    Array.from({ length: getGroupSize() }, (_, rank) => rank),
  );
  const alone = createGroup(`rank ${getRank()} alone`, [getRank()]);
  const peers = settings.synchronized ? everyone : alone;
  const trainer = await makeTrainer(settings, everyone, peers);
  train(trainer, settings, (message) => postMessage(message));
});

type Group = ReturnType<typeof createGroup>;

/** Loads the framework that was chosen, and not the other. */
async function makeTrainer({ framework, seed }: RankSettings, everyone: Group, peers: Group) {
  if (framework === 'jax') {
    const { jaxTrainer } = await import('./jax.js');
    return jaxTrainer(everyone, peers, seed);
  }
  const { tfjsTrainer } = await import('./tfjs.js');
  return tfjsTrainer(everyone, peers, seed);
}
