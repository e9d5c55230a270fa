/** syncrun on two and three hosts with a network between them. */

import { afterAll, describe, expect, test } from 'vitest';
import { closeSharedWorlds } from '../harness/world.js';
import { read, workspace } from '../launch/support.js';
import { checkResults, writeWork } from './layer-work.js';
import { rankProgram } from './run.js';
import { syncrunOnHosts } from './syncrun-hosts.js';

afterAll(closeSharedWorlds);

describe.each([2, 3])('%i hosts', (hosts) => {
  const ended = (code: number) => `exit code ${code}\n`.repeat(hosts);

  test('run the contract of groups', async () => {
    const { stdout, stderr } = await syncrunOnHosts(hosts, 1, [rankProgram('mpi-contract')]);
    expect(stderr).toBe('');
    for (let rank = 0; rank < hosts; rank++) {
      expect(stdout).toMatch(new RegExp(`rank ${rank} of ${hosts}: \\d+ sections, 0 failed`));
    }
    expect(stdout).toContain(ended(0));
  }, 120_000);

  test('give the layers and the training of threads, to the bit', async () => {
    const path = writeWork(hosts);
    const { stdout, stderr } = await syncrunOnHosts(hosts, 1, [rankProgram('mpi-layers'), path]);
    expect({ stdout, stderr }).toEqual({ stdout: ended(0), stderr: '' });
    await checkResults(path, hosts);
  });

  test('tell on each which rank failed, on which host, and why', async () => {
    const cwd = workspace();
    const { stdout, stderr } = await syncrunOnHosts(
      hosts,
      1,
      [rankProgram('mpi-faults'), 'throw'],
      cwd,
    );
    expect(stdout).toContain(ended(1));
    const [rank, host] = [hosts - 1, `h${hosts}`];
    const text = `syncrun: rank ${rank} on host ${host} failed with exit code 1\n`;
    expect(stderr.split(text)).toHaveLength(hosts + 1);
    expect(stderr).toContain(`syncrun: the end of the log of rank ${rank} there:\n  `);
    expect(stderr).toContain(`syncrun: thrown by rank ${rank}:\n  TypeError: the batch`);
    const reason = 'failed with exit code 1: TypeError: the batch is a string\n';
    const tail = `  syncbn: rank ${rank} of ${hosts} ${reason}`;
    expect(stderr.split(tail)).toHaveLength(hosts);
    expect(read(cwd, `worker_${rank}.log`)).toContain(reason);
  });
});
