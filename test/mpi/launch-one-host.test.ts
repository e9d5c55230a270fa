import { hostname } from 'node:os';
import { describe, expect, test } from 'vitest';
import { LaunchError, launchProcesses } from '../../src/launch/processes/index.js';
import { rankProgram } from './run.js';

const HOST = `host ${hostname()}`;

interface Launched {
  readonly error: LaunchError | null;
  readonly output: string;
  readonly pids: readonly number[];
}

async function launch(workerNum: number, program: string, ...args: string[]): Promise<Launched> {
  let output = '';
  const pids: number[] = [];
  const launched = launchProcesses({
    script: rankProgram(program),
    args,
    workerNum,
    onOutput: (_rank, _stream, bytes) => {
      output += bytes;
    },
    onStart: (_rank, pid) => pids.push(pid),
  });
  const error = await launched.then(
    () => null,
    (reason: unknown) => reason as LaunchError,
  );
  return { error, output, pids };
}

function expectNoneLeft(pids: readonly number[]): void {
  for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
}

describe('a launch on one host, without mpirun', () => {
  // Those of 2 and 3 run it under syncrun, which launches by the same code: contract.test.ts.
  test.each([1, 4])(
    'runs the contract in a world of %i',
    async (size) => {
      const { error, output } = await launch(size, 'mpi-contract');
      expect(error).toBeNull();
      for (let rank = 0; rank < size; rank++) {
        expect(output).toMatch(new RegExp(`rank ${rank} of ${size}: \\d+ sections, 0 failed`));
      }
    },
    120_000,
  );

  test.each([
    ['exit-code', 7, 'failed with exit code 7'],
    ['throw', 1, 'failed with exit code 1'],
    ['kill', 137, 'ended by SIGKILL'],
  ])('ends with the failure of a rank (%s), and none is left', async (mode, exitCode, text) => {
    const { error, pids } = await launch(3, 'mpi-faults', mode);
    expect(error).toBeInstanceOf(LaunchError);
    expect(error?.message).toBe(`launch: rank 2 on ${HOST} ${text}`);
    expect(error?.exitCode).toBe(exitCode);
    expect(error?.rank).toBe(2);
    expect(pids).toHaveLength(3);
    expectNoneLeft(pids);
  });

  test.each(['catch', 'release', 'deadline'])('ends well with the ranks (%s)', async (mode) => {
    const { error } = await launch(3, 'mpi-faults', mode);
    expect(error).toBeNull();
  });

  test('a rank that ends before it joins the world fails those that wait for it', async () => {
    const { error, pids } = await launch(2, 'mpi-oddities', 'absent');
    expect(error?.message).toBe(
      `launch: rank 1 on ${HOST} ended before joining the world, which rank 0 waits for`,
    );
    expectNoneLeft(pids);
  });

  test('a rank that garbles its channel is named', async () => {
    const { error } = await launch(2, 'mpi-oddities', 'garble');
    expect(error?.message).toBe(
      `launch: rank 1 on ${HOST} sent its launcher a garbled line: "cmd=reboot now"`,
    );
  });

  test('an interruption ends all ranks', async () => {
    const abort = new AbortController();
    const pids: number[] = [];
    const launched = launchProcesses({
      script: rankProgram('mpi-oddities'),
      args: ['idle'],
      workerNum: 2,
      signal: abort.signal,
      onStart: (_rank, pid) => {
        pids.push(pid);
        if (pids.length === 2) setTimeout(() => abort.abort(), 300);
      },
    });
    await expect(launched).rejects.toThrow('launch: interrupted');
    expectNoneLeft(pids);
  });

  test.each([
    [{ workerNum: 0 }, 'workerNum must be 1 to'],
    [{ workerNum: 1.5 }, 'workerNum must be an integer, got 1.5'],
    [{ workerNum: 2, localWorkerNum: 3 }, 'localWorkerNum must be 1 to 2, got 3'],
    [{ workerNum: 2, masterPort: 70_000 }, 'masterPort must be 0 to 65535, got 70000'],
    [
      { workerNum: 4, localWorkerNum: 2 },
      'need a secret of at least 16 characters in common, got none',
    ],
    [{ workerNum: 4, localWorkerNum: 2, secret: 'short' }, 'in common, got one of 5'],
  ])('refuses %o', async (options, text) => {
    await expect(
      launchProcesses({ script: rankProgram('mpi-oddities'), ...options }),
    ).rejects.toThrow(text);
  });
});
