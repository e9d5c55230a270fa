import { describe, expect, test } from 'vitest';
import { MPICH, OPEN_MPI, rankProgram, runRanks } from './run.js';

const RANKS = 3;

describe.each([OPEN_MPI, MPICH])('groups that may share memory under $name', (family) => {
  const lines = async (refusing: string) => {
    const args = [rankProgram('mpi-carriers'), refusing];
    const { code, stdout, stderr } = await runRanks(family, RANKS, args, {}, 60);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    return stdout.trim().split('\n').sort();
  };

  test('give it back, in whatever order ranks destroy them', async () => {
    const expected = [0, 1, 2].flatMap((rank) => [
      `rank ${rank}: 0 left, 0 descriptors`,
      `rank ${rank}: 7 at most`,
    ]);
    expect(await lines('none')).toEqual(expected);
  });

  test.each(['0', '1'])('use messages where rank %s does not', async (refusing) => {
    const expected = [0, 1, 2].flatMap((rank) => [
      `rank ${rank}: 0 at most`,
      `rank ${rank}: 0 left, 0 descriptors`,
    ]);
    expect(await lines(refusing)).toEqual(expected);
  });
});
