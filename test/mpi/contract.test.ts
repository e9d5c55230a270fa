import { describe, expect, test } from 'vitest';
import { CARRIERS, MPICH, OPEN_MPI, rankProgram, runRanks } from './run.js';

const SIZES = [1, 2, 3, 4, 7];

describe.each([OPEN_MPI, MPICH])('collectives of processes under $name', (family) => {
  describe.each(CARRIERS)('$name', ({ env, shares }) => {
    test.each(SIZES)(
      'give the bits of the sum in rank order in a world of %i',
      async (size) => {
        const outcome = await runRanks(family, size, [rankProgram('mpi-contract')], env);
        expect(outcome.stderr).toBe('');
        expect(outcome.code).toBe(0);
        for (let rank = 0; rank < size; rank++) {
          const line = new RegExp(
            `rank ${rank} of ${size}: \\d\\d\\d+ checks, (\\d) of (\\d) groups`,
          );
          const [, shared, all] = line.exec(outcome.stdout) ?? [];
          expect(shared, `groups of rank ${rank} that share memory`).toBe(shares ? all : '0');
          expect(all === '0').toBe(size === 1);
        }
      },
      120_000,
    );
  });
});
