/** Main module of the process behind `syncrun --join=False`; its argument is the settings as JSON. */

import type { Settings } from './options/settings.js';
import { prepareWorld, runPrepared } from './prepare.js';

const settings = JSON.parse(process.argv[2]) as Settings;
process.exit(await runPrepared(settings, await prepareWorld(settings)));
