import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { workspace } from '../launch/support.js';
import { averagesOf, differenceOf, SCRIPTS, valuesOfRoot } from '../parallel/lists.js';
import type { Results } from '../ranks/averages.js';
import { CARRIERS, MPICH, OPEN_MPI, rankProgram, runRanks } from './run.js';

describe.each([OPEN_MPI, MPICH])('averages of processes under $name', (family) => {
  const cases = CARRIERS.flatMap((carrier) => [2, 3].map((size) => ({ ...carrier, size })));
  test.each(cases)('have the bits of threads, $name, $size ranks', async ({ env, size }) => {
    const path = join(workspace(), 'averages');
    writeFileSync(path, serialize(SCRIPTS));
    const { code, stderr } = await runRanks(family, size, [rankProgram('mpi-averages'), path], env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (let rank = 0; rank < size; rank++) {
      const results = deserialize(readFileSync(`${path}.${rank}`)) as [Results, Results][];
      results.forEach(([own, received], i) => {
        expect(differenceOf(own, averagesOf(SCRIPTS[i], size))).toBe('');
        expect(differenceOf(received, valuesOfRoot(SCRIPTS[i]))).toBe('');
      });
    }
  });
});
