/** Worlds of processes. */

export { pinning } from './cores.js';
export { type Failure, LaunchError } from './errors.js';
export { launchProcesses, runHost } from './launch.js';
export { MASTER_PORT, type ProcessLaunchOptions } from './options.js';
export { mayBeFirst } from './rendezvous.js';
export { checkSecret, makeSecret, readSecret, SECRET_VARIABLE, secretWarning } from './secret.js';
