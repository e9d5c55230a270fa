/** All-reduce of this package over threads, as a contestant. */

import { findGroup, init } from '../../src/group/world.js';
import { serveThread } from '../turns/serve.js';
import { GroupPlayer } from './group-player.js';
import type { AllReduceTask } from './task.js';

await init();
const player = new GroupPlayer(findGroup(null, 'bench'));

serveThread<AllReduceTask>({
  prepare: (task) => ({ threads: player.prepare(task) }),
  turn: (_work, calls, samples) => player.turn(calls, samples),
});
