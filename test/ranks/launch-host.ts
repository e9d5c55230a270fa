/** One host's part of a launch: options as JSON in the first argument; says how it ended. */

import { LaunchError, launchProcesses } from 'syncbn/launch';

const options = JSON.parse(process.argv[2]);
try {
  await launchProcesses({ ...options, onStart: (_, pid) => console.log(`pid ${pid}`) });
  console.log('launch ended well');
} catch (error) {
  if (!(error instanceof LaunchError)) throw error;
  console.log(error.message);
  process.exitCode = error.exitCode;
}
