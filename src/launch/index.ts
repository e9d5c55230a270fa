/** `syncbn/launch`: a world of ranks from a program; `syncrun` does the same from a shell. */

export { RankFailedError } from '../core/errors.js';
export {
  LaunchError,
  launchProcesses,
  type ProcessLaunchOptions,
  readSecret,
} from './processes/index.js';
export { type Launch, type LaunchOptions, launch } from './threads/launch.js';
export type { OutputStream } from './threads/protocol.js';
export type { RankEvents } from './threads/rank-thread.js';
export type { RankResult, RunningWorld } from './world/launch.js';
