/** Worlds of processes. */

export { type Failure, LaunchError } from './errors.js';
export { launchProcesses } from './launch.js';
export { checkSecret, type ProcessLaunchOptions } from './options.js';
export { isLocal } from './rendezvous.js';
export { readSecret, SECRET_VARIABLE } from './secret.js';
