/** Main module of the process behind `syncrun --join=False`; its argument is the world as JSON. */

import { runPrepared } from './run.js';

process.exit(await runPrepared(JSON.parse(process.argv[2])));
