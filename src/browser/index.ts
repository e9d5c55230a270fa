/** `syncbn/browser`: a world of Web Workers from a page; see docs/browser.md. */

import '../features/all.js';

export { RankFailedError } from '../core/errors.js';
export type { RankResult } from '../launch/world/launch.js';
export { launchWorkers, type WorkerLaunch, type WorkerLaunchOptions } from './launch-workers.js';
export { runRank } from './run-rank.js';
export type { MakeWorker } from './worker-rank.js';
