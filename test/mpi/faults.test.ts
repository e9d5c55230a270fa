import { describe, expect, test } from 'vitest';
import { CARRIERS, MPICH, OPEN_MPI, rankProgram, runRanks } from './run.js';

const CALL = "allReduce #2 of SyncBatchNorm 'bn1' with 100 float64";

const WAYS = [OPEN_MPI, MPICH].flatMap((family) =>
  CARRIERS.map(({ name, env }) => ({ name: `${family.name}, frames ${name}`, family, env })),
);

describe.each(WAYS)('ranks that go wrong under $name', ({ family, env }) => {
  const fault = (mode: string, ranks = 3) =>
    runRanks(family, ranks, [rankProgram('mpi-faults'), mode], env, 60);

  test('an early exit with code 0 fails the ranks that still wait', async () => {
    const { code, stderr } = await fault('exit');
    expect(code).not.toBe(0);
    expect(stderr).toContain(`rank 2 exited with code 0 before ${CALL} in group 'world'`);
  });

  test('an early exit is noticed in a group that only some ranks share', async () => {
    const { code, stderr } = await fault('exit-from-pair');
    expect(code).not.toBe(0);
    expect(stderr).toContain(
      "rank 1 exited with code 0 before allReduce #1 of SyncBatchNorm 'bn1'",
    );
  });

  test('an error caught on the others lets the world end properly', async () => {
    const { code, stdout } = await fault('catch');
    expect(stdout.match(/rank 2 exited with code 0/g)).toHaveLength(2);
    expect(code).toBe(0);
  });

  test('an exit code is the exit code of the launch', async () => {
    const { code, stderr } = await fault('exit-code');
    expect(stderr).toContain('syncbn: rank 2 of 3 failed with exit code 7');
    expect(code).toBe(7);
  });

  test.each([
    ['throw', 'TypeError: the batch is a string'],
    ['reject', 'RangeError: no such file'],
  ])('an error that nobody catches (%s) ends all ranks, named', async (mode, text) => {
    const { code, stderr } = await fault(mode);
    expect(stderr).toContain(`syncbn: rank 2 of 3 failed with exit code 1: ${text}`);
    expect(stderr).toContain(`RankFailedError: rank 2 failed: ${text}`);
    expect(code).toBe(1);
  });

  test('a killed rank ends all', async () => {
    const { code, seconds } = await fault('kill');
    expect(code).not.toBe(0);
    expect(seconds).toBeLessThan(20);
  });

  test('a deadline names the rank that did not come, and ends the group', async () => {
    const { code, stdout } = await fault('deadline');
    expect(stdout).toContain(
      `DeadlineError: rank 0 waited 0.5 s in ${CALL} in group 'world' for rank 2`,
    );
    expect(code).toBe(0);
  });

  test('a deadline rejects a promise', async () => {
    const { code, stderr } = await fault('deadline-promise');
    expect(stderr).toContain(`rank 0 waited 0.5 s in ${CALL} in group 'world' for rank 2`);
    expect(code).not.toBe(0);
  });

  test('members that give a group other ranks get an error', async () => {
    const { code, stderr } = await fault('other-ranks');
    expect(stderr).toContain(
      "createGroup: ranks disagree: rank 2 makes group 'odd' of ranks 2, 1, 0, rank 0 group 'odd' of ranks 0, 1, 2",
    );
    expect(code).not.toBe(0);
  });

  test('release ends the world before the program, for good', async () => {
    const { code, stdout } = await fault('release');
    const once = 'Error: init: this process has left its world, and MPI can be entered once only';
    for (const rank of [0, 1, 2]) expect(stdout).toContain(`rank ${rank} released, ${once}`);
    expect(code).toBe(0);
  });
});
