// A page as users write it: its workers train with the layers.
import { launchWorkers } from 'syncbn/browser';

const world = launchWorkers(
  (rank) =>
    new Worker(new URL('./rank.js', import.meta.url), { type: 'module', name: `rank ${rank}` }),
  { workerNum: 2, data: { steps: 3 } },
);
globalThis.trained = world.done.catch((error) => `${error.name}: ${error.message}`);
