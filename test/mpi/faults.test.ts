import { describe, expect, test } from 'vitest';
import { CARRIERS, MPICH, OPEN_MPI, rankProgram, runRanks } from './run.js';

const CALL = "allReduce #2 of SyncBatchNorm 'bn1' with 100 float64";

const WAYS = [OPEN_MPI, MPICH].flatMap((family) =>
  CARRIERS.map(({ name, env }) => ({ name: `${family.name}, frames ${name}`, family, env })),
);

// One after the other: mpirun kills ranks that have not yet had a processor to say why they fail.
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
    const told = `DeadlineError: rank [01] waited 0.5 s in ${CALL} in group 'world' for rank 2$`;
    expect(stdout.match(new RegExp(told, 'gm'))).toHaveLength(2);
    expect(code).toBe(0);
  });

  test('a deadline names the rank at the end of a chain, behind long sums, too', async () => {
    const { code, stdout } = await fault('chain');
    expect(stdout).toMatch(
      /rank 0 waited 0.5 s in allReduce #1 with 100 float64 in group 'pair' for rank 2, for which rank 1 waits/,
    );
    expect(stdout).toMatch(
      /rank 1 waited 1 s in allReduce #1 with 300000 float64 in group 'next' for rank 2$/m,
    );
    expect(code).toBe(0);
  });

  test('a rank that makes its groups late is named, and trying again works', async () => {
    const { code, stdout, stderr } = await fault('late');
    // Whoever is first tells the others.
    const told = /rank [01] waited 0.5 s in barrier #1 in group 'odd' for rank 2$/gm;
    expect(stdout.match(told)?.length).toBeGreaterThanOrEqual(2);
    for (const rank of [0, 1, 2]) expect(stdout).toContain(`rank ${rank} made all`);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('a deadline rejects a promise', async () => {
    const { code, stderr } = await fault('deadline-promise');
    expect(stderr).toMatch(
      new RegExp(`rank [01] waited 0.5 s in ${CALL} in group 'world' for rank 2`),
    );
    expect(code).not.toBe(0);
  });

  test('members that give a group other ranks get an error', async () => {
    const { code, stderr } = await fault('other-ranks');
    expect(stderr).toMatch(
      /createGroup: ranks disagree: rank 2 makes group 'odd' of ranks 2, 1, 0, rank [01] group 'odd' of ranks 0, 1, 2/,
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
