/** A process with a progress bar on a terminal of its own making, for a test to interrupt. */

import { startProgress } from '../../examples/digits/progress.js';

Object.defineProperty(process.stderr, 'isTTY', { value: true });
const progress = startProgress('run', 100);
progress.update(50, { loss: 0.5 });
process.stdout.write('ready');
