/** Cores for ranks that are processes: each rank gets its own share of this host's cores. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Returns the words that pin each local rank, to be put before its command.
 * @throws RangeError if this host cannot pin, or has fewer cores than ranks
 */
export function pinning(localRanks: number): string[][] {
  if (spawnSync('taskset', ['--version']).status !== 0) {
    throw new RangeError(
      '--bind_core=True needs the command taskset, which is not here; it is part of Linux, in the ' +
        'package util-linux: apt-get install util-linux',
    );
  }
  const cores = coresOf(readFileSync('/proc/self/status', 'utf8'));
  if (cores.length < localRanks) {
    throw new RangeError(
      `--bind_core=True needs a core for each rank: this host has ${cores.length} cores for ` +
        `syncrun, and --local_worker_num is ${localRanks}`,
    );
  }
  return shares(cores, localRanks).map((share) => ['taskset', '-c', share.join(',')]);
}

/** Cores that the process of `/proc/PID/status` may use. */
export function coresOf(status: string): number[] {
  const list = /^Cpus_allowed_list:\s*(\S+)/m.exec(status)?.[1] ?? '';
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}

/** Divides `cores` into `count` runs of neighbours, as evenly as possible. */
export function shares(cores: readonly number[], count: number): number[][] {
  const at = (i: number) => Math.floor((i * cores.length) / count);
  return Array.from({ length: count }, (_, i) => cores.slice(at(i), at(i + 1)));
}
