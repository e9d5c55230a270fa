import { describe, expect, test } from 'vitest';
import { MPICH, OPEN_MPI, rankProgram, runRanks } from './run.js';

describe.each([OPEN_MPI, MPICH])('collectives of processes under $name', (family) => {
  test.each([1, 2, 3, 4, 7])(
    'give the bits of the sum in rank order in a world of %i',
    async (size) => {
      const outcome = await runRanks(family, size, [rankProgram('mpi-contract')]);
      expect(outcome.stderr).toBe('');
      expect(outcome.code).toBe(0);
      for (let rank = 0; rank < size; rank++) {
        expect(outcome.stdout).toMatch(new RegExp(`rank ${rank} of ${size}: \\d\\d\\d+ checks`));
      }
    },
    120_000,
  );
});
