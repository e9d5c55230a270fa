/** Starting worlds from a program. */

export {
  LaunchError,
  launchProcesses,
  type ProcessLaunchOptions,
  readSecret,
} from './processes/index.js';
