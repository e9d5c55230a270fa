/** `syncbn/launch`: a world of ranks from a program; `syncrun` does the same from a shell. */

export { RankFailedError } from '../core/errors.js';
export {
  LaunchError,
  launchProcesses,
  type ProcessLaunchOptions,
  readSecret,
} from './processes/index.js';
export type { OutputStream, RankEvents, ResourceLimits } from './threads/events.js';
export { type Launch, type LaunchOptions, launch } from './threads/launch.js';
export type { RankResult, RunningWorld } from './world/launch.js';
