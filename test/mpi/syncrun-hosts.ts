/** Runs `syncrun` on several hosts with a network between them. */

import { SYNCRUN, workspace } from '../launch/support.js';
import { inNetwork, TCP_ONLY } from './network.js';
import type { Outcome } from './run.js';

/** Runs "$@" on all hosts, with each one's node rank for NODE_RANK; says each one's exit code. */
const EVERYWHERE = `
pids=
for n in $HOSTS; do
  (on $n "\${@/NODE_RANK/$((n - 1))}") &
  pids="$pids $!"
done
for pid in $pids; do wait $pid; echo "exit code $?"; done
`;

/**
 * Runs `script` on `each` ranks of every host; standard output ends with the hosts' exit codes.
 * @param more variables of every host, in which NODE_RANK stands for its node rank
 */
export function syncrunOnHosts(
  hosts: number,
  each: number,
  script: readonly string[],
  cwd = workspace(),
  more: Record<string, string> = {},
): Promise<Outcome> {
  const secret = 'a secret of the test, not of use';
  const variables = { ...TCP_ONLY, SYNCBN_SECRET: secret, ...more };
  const env = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const options = [
    ...[`--worker_num=${hosts * each}`, `--local_worker_num=${each}`, '--node_rank=NODE_RANK'],
    ...['--join', '--master_addr=10.77.0.1', '--cluster_time_out=30', `--log_dir=${cwd}`],
  ];
  const command = ['env', ...env, process.execPath, SYNCRUN, ...options, ...script];
  const names = Array.from({ length: hosts }, (_, i) => i + 1);
  return inNetwork(EVERYWHERE, command, 100, names);
}
