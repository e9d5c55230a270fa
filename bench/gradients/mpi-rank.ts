/**
 * One process of an MPI world: the flat average of mpi.c, and this package's over the same library.
 * Arguments: the socket to answer on, and mpi.c as a library.
 */

import { loadKoffi } from '../../src/group/mpi/library/koffi.js';
import { findGroup, init } from '../../src/group/world.js';
import { openDirect } from '../collectives/mpi-direct.js';
import { serveMpi } from '../collectives/serve-mpi.js';
import { GradientPlayer } from './player.js';
import type { GradientTask } from './task.js';

const [socketPath, library] = process.argv.slice(2);
await init();
const koffi = await loadKoffi();
const compiled = koffi.load(library);
const prepare = compiled.func('gradients_prepare', 'void', ['int *', 'int']) as unknown as (
  lengths: Int32Array,
  count: number,
) => void;
const average = compiled.func('gradients_average', 'void', []) as unknown as () => void;
const error = compiled.func('gradients_error', 'double', []) as unknown as () => number;
const batch = compiled.func('gradients_batch', 'double', ['int']) as unknown as (
  calls: number,
) => number;
const own = new GradientPlayer(findGroup(null, 'bench'));

await serveMpi<GradientTask>(
  socketPath,
  {
    prepare(task) {
      prepare(Int32Array.from(task.lengths), task.lengths.length);
      average();
      return { mpi: error(), ...own.prepare(task) };
    },
    turn(work, calls, samples) {
      if (work !== 'mpi') return own.turn(work, calls, samples);
      return Array.from({ length: samples }, () => batch(calls));
    },
  },
  (await openDirect(undefined)).version,
);
