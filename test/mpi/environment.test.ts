import { describe, expect, test } from 'vitest';
import { launchFromEnvironment } from '../../src/group/mpi/environment.js';
import { MPICH, OPEN_MPI, rankProgram, run, runRanks } from './run.js';

describe('the launcher is read from the environment', () => {
  test('nothing there: no MPI', () => {
    expect(launchFromEnvironment({ PATH: '/bin', SLURM_PROCID: '0' })).toBeNull();
  });

  test("Open MPI's mpirun", () => {
    const env = {
      OMPI_COMM_WORLD_RANK: '3',
      OMPI_COMM_WORLD_SIZE: '4',
      OMPI_COMM_WORLD_LOCAL_SIZE: '2',
      PMIX_RANK: '3',
    };
    expect(launchFromEnvironment(env)).toMatchObject({
      family: 'openmpi',
      rank: 3,
      size: 4,
      localSize: 2,
    });
  });

  test("MPICH's mpiexec", () => {
    const env = { PMI_RANK: '1', PMI_SIZE: '2', PMI_FD: '9', MPI_LOCALNRANKS: '2' };
    expect(launchFromEnvironment(env)).toMatchObject({
      family: 'mpich',
      launcher: "MPICH's mpiexec",
      rank: 1,
      size: 2,
    });
  });

  test('PMI without its channel is no launch', () => {
    expect(launchFromEnvironment({ PMI_RANK: '1', PMI_SIZE: '2' })).toBeNull();
  });

  test('srun through PMIx may be either library', () => {
    const env = { PMIX_RANK: '0', SLURM_PROCID: '0', SLURM_STEP_NUM_TASKS: '8' };
    expect(launchFromEnvironment(env)).toMatchObject({ family: null, launcher: 'srun', size: 8 });
  });

  test('a rank that is no number is an error', () => {
    const env = { PMI_RANK: 'x', PMI_SIZE: '2', PMI_FD: '9' };
    expect(() => launchFromEnvironment(env)).toThrow("PMI_RANK must be a whole number, got 'x'");
  });
});

describe('the library must be the one that launched', () => {
  const program = [rankProgram('mpi-contract')];

  test("MPICH's library under Open MPI's launcher is an error", async () => {
    const env = { SYNCBN_MPI_LIBRARY: 'libmpich.so.12' };
    const { code, stderr } = await runRanks(OPEN_MPI, 2, program, env);
    expect(stderr).toContain("started by Open MPI's mpirun");
    expect(stderr).toContain('libmpich.so.12 is MPICH');
    expect(code).not.toBe(0);
  });

  test("Open MPI's library under MPICH's launcher is an error", async () => {
    const env = { SYNCBN_MPI_LIBRARY: 'libmpi.so.40' };
    const { code, stderr } = await runRanks(MPICH, 2, program, env);
    expect(stderr).toContain('libmpi.so.40 is Open MPI');
    expect(code).not.toBe(0);
  });

  test('a world of another size than the launcher says is an error', async () => {
    // What a wrong library makes of itself: rank 0 of 1.
    const [command, ...options] = OPEN_MPI.command;
    const disguise = ['-n', '1', 'env', 'OMPI_COMM_WORLD_SIZE=2', process.execPath, ...program];
    const { code, stderr } = await run(command, [...options, ...disguise], {}, 60);
    expect(stderr).toContain('started this process as rank 0 of 2, but Open MPI v');
    expect(stderr).toContain('makes it rank 0 of 1');
    expect(code).not.toBe(0);
  });

  test('a missing library is named with what installs it', async () => {
    const env = { SYNCBN_MPI_LIBRARY: 'libnone.so.1' };
    const { code, stderr } = await runRanks(MPICH, 1, program, env);
    expect(stderr).toContain('apt-get install mpich');
    expect(code).not.toBe(0);
  });
});
