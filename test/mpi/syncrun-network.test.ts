/** syncrun on two and three hosts with a network between them. */

import { afterAll, describe, expect, test } from 'vitest';
import { closeSharedWorlds } from '../harness/world.js';
import { SYNCRUN, workspace } from '../launch/support.js';
import { checkResults, writeWork } from './layer-work.js';
import { inNetwork, TCP_ONLY } from './network.js';
import { type Outcome, rankProgram } from './run.js';

afterAll(closeSharedWorlds);

/** Runs "$@" on all hosts, with each one's node rank for NODE_RANK; says each one's exit code. */
const EVERYWHERE = `
pids=
for n in $HOSTS; do
  (on $n "\${@/NODE_RANK/$((n - 1))}") &
  pids="$pids $!"
done
for pid in $pids; do wait $pid; echo "exit code $?"; done
`;

/** One rank on each host. */
function onHosts(hosts: number, script: readonly string[], cwd = workspace()): Promise<Outcome> {
  const variables = { ...TCP_ONLY, SYNCBN_SECRET: 'a secret of the test, not of use' };
  const env = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const options = [
    ...[`--worker_num=${hosts}`, '--local_worker_num=1', '--node_rank=NODE_RANK', '--join'],
    ...['--master_addr=10.77.0.1', '--cluster_time_out=30', `--log_dir=${cwd}`],
  ];
  const command = ['env', ...env, process.execPath, SYNCRUN, ...options, ...script];
  const names = Array.from({ length: hosts }, (_, i) => i + 1);
  return inNetwork(EVERYWHERE, command, 100, names);
}

describe.each([2, 3])('%i hosts', (hosts) => {
  const ended = (code: number) => `exit code ${code}\n`.repeat(hosts);

  test('run the contract of groups', async () => {
    const { stdout, stderr } = await onHosts(hosts, [rankProgram('mpi-contract')]);
    expect(stderr).toBe('');
    for (let rank = 0; rank < hosts; rank++) {
      expect(stdout).toMatch(new RegExp(`rank ${rank} of ${hosts}: \\d\\d\\d+ checks`));
    }
    expect(stdout).toContain(ended(0));
  }, 120_000);

  test('give the layers and the training of threads, to the bit', async () => {
    const path = writeWork(hosts);
    const { stdout, stderr } = await onHosts(hosts, [rankProgram('mpi-layers'), path]);
    expect({ stdout, stderr }).toEqual({ stdout: ended(0), stderr: '' });
    await checkResults(path, hosts);
  });

  test('tell on each which rank failed, on which host, and why', async () => {
    const cwd = workspace();
    const { stdout, stderr } = await onHosts(hosts, [rankProgram('mpi-faults'), 'throw'], cwd);
    expect(stdout).toContain(ended(1));
    const [rank, host] = [hosts - 1, `h${hosts}`];
    const text = `syncrun: rank ${rank} on host ${host} failed with exit code 1\n`;
    expect(stderr.split(text)).toHaveLength(hosts + 1);
    expect(stderr).toContain(`syncrun: the end of the log of rank ${rank} there:\n  `);
    expect(stderr).toContain(`syncrun: the end of ${cwd}/worker_${rank}.log:\n  `);
    const reason =
      /^ {2}syncbn: rank \d of \d failed with exit code 1: TypeError: the batch is a string$/gm;
    expect(stderr.match(reason)).toHaveLength(hosts);
  });
});
