/** Main module of the process behind `syncrun --join=False`; its argument is the settings as JSON. */

import { openLogs } from './log-files.js';
import { runWorld } from './run-world.js';
import type { Settings } from './settings.js';

const settings = JSON.parse(process.argv[2]) as Settings;
const logs = openLogs(settings.logDir, settings.logName, settings.workerNum);
process.exit(await runWorld(settings, logs));
