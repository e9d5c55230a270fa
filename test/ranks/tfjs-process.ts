/** A rank that is a process of its own: trains as its argument says, and prints what came of it. */

import { init, release } from 'syncbn';
import { runFit } from './run-tfjs.js';

await init();
console.log(JSON.stringify(await runFit(JSON.parse(process.argv[2]))));
release();
