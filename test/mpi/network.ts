/**
 * Hosts with a network between them, for the length of one shell script: network namespaces
 * within namespaces of mounts and processes that end with the script, whatever ends it. So nothing
 * is there to be removed, and no process is left. Needs util-linux, iproute2, and either root or
 * leave for users to make namespaces.
 */

import { fileURLToPath } from 'node:url';
import { type Outcome, run } from './run.js';

const NAMESPACES = ['--net', '--mount', '--pid', '--mount-proc', '--fork', '--kill-child'];

/** `on N COMMAND` runs a command on host N, which is 10.77.0.N, fd77::N and named hN. */
const HOSTS = `
set -eu
PATH="$PATH:/usr/sbin:/sbin"
mount -t tmpfs none /run
ip link add bridge0 type bridge
ip link set bridge0 up
for n in $HOSTS; do
  ip netns add h$n
  ip link add to$n type veth peer name eth0 netns h$n
  ip link set to$n master bridge0 up
  ip -n h$n addr add 10.77.0.$n/24 dev eth0
  ip -n h$n addr add fd77::$n/64 dev eth0 nodad
  ip -n h$n link set lo up
  ip -n h$n link set eth0 up
done
on() {
  n=$1
  shift
  exec ip netns exec h$n unshare --uts sh -c 'hostname "$0"; exec "$@"' h$n "$@"
}
export -f on
set +e
`;

/** Past shared memory, which pretended hosts have in common and real ones have not. */
export const TCP_ONLY = { UCX_TLS: 'tcp,self', UCX_NET_DEVICES: 'eth0' };

/** Arguments of the command unshare for a script of bash between `$HOSTS`. */
export function networkArguments(script: string, args: readonly string[]): string[] {
  const user = process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  return [...user, ...NAMESPACES, 'bash', '-c', HOSTS + script, 'hosts', ...args];
}

/** Runs a script of bash between `$HOSTS`. `$1`, `$2`... are `args`. */
export function inNetwork(
  script: string,
  args: readonly string[],
  limit = 100,
  hosts = [1, 2],
): Promise<Outcome> {
  return run('unshare', networkArguments(script, args), { HOSTS: hosts.join(' ') }, limit);
}

/** Arguments of node for one host's part of a launch with `workerNum` 4 over the network. */
export function hostCommand(options: Record<string, unknown>): string[] {
  const program = fileURLToPath(new URL('../../build/test/ranks/launch-host.js', import.meta.url));
  const common = {
    workerNum: 4,
    localWorkerNum: 2,
    masterAddr: '10.77.0.1',
    secret: 'a secret of the test, not of use',
    clusterTimeOut: 20,
    env: TCP_ONLY,
  };
  return [process.execPath, program, JSON.stringify({ ...common, ...options })];
}
