/** The contract of collectives on one rank that is a process. */

import { runContract, SECTION_NAMES } from './contract.js';
import { join, sharedMemories } from './mpi-ranks.js';

const world = await join(120);
let sharing = '';
const report = await runContract(SECTION_NAMES, (groups) => {
  const shareable = groups.filter(({ size }) => size > 1).length;
  sharing = `${sharedMemories()} of ${shareable} groups share memory`;
});
const sections = Object.values(report);
const failed = sections.filter((errors) => errors.length > 0).length;
const { rank, size } = world;
console.log(`contract of rank ${rank}: ${JSON.stringify(report)}`);
console.log(`rank ${rank} of ${size}: ${sections.length} sections, ${failed} failed, ${sharing}`);
