import { afterAll, describe, expect, test } from 'vitest';
import { closeSharedWorlds } from '../harness/world.js';
import { checkResults, writeWork } from './layer-work.js';
import { MPICH, OPEN_MPI, rankProgram, runRanks } from './run.js';

afterAll(closeSharedWorlds);

describe.each([OPEN_MPI, MPICH])('layers of processes under $name', (family) => {
  test.each([1, 2, 3])(
    'equal batch normalization of the whole batch, and threads to the bit, on %i ranks',
    async (size) => {
      const path = writeWork(size);
      const { code, stderr } = await runRanks(family, size, [rankProgram('mpi-layers'), path]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      await checkResults(path, size);
    },
  );
});
