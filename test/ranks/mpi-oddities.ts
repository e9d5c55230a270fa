/** Ranks that misbehave towards their launcher, in the way that the first argument names. */

import { writeSync } from 'node:fs';
import { join } from './mpi-ranks.js';

const mode = process.argv[2];
const last = Number(process.env.PMI_RANK) === Number(process.env.PMI_SIZE) - 1;

/** The descriptor of the rank's PMI channel. */
const PMI = 3;

if (mode === 'absent' && last) process.exit(0);
if (mode === 'garble' && last) {
  writeSync(PMI, 'cmd=reboot now\n');
  setInterval(() => {}, 1000);
} else {
  await join(20);
  if (mode === 'idle') setInterval(() => {}, 1000);
}
