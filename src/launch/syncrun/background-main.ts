/** Main module of the process behind `syncrun --join=False`; its argument is the world as JSON. */

import { runPrepared } from './run.js';

const status = await runPrepared(JSON.parse(process.argv[2]), () => {
  // syncrun may have stopped waiting.
  if (process.connected) process.send?.('started');
});
process.exit(status);
