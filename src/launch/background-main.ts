/** Main module of the process behind `syncrun --join=False`; its argument is the settings as JSON. */

import { prepareWorld, runPrepared } from './prepare.js';
import type { Settings } from './settings.js';

const settings = JSON.parse(process.argv[2]) as Settings;
process.exit(await runPrepared(settings, await prepareWorld(settings)));
