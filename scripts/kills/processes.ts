/** The processes of this namespace, in which nothing runs but the worlds that are killed. */

import { readdirSync, readFileSync } from 'node:fs';

/** Ids of the processes that are there; one that has ended and was not collected is not. */
export function alive(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    const stat = read(pid, 'stat');
    return stat !== '' && !/\) Z /.test(stat);
  });
}

/** World rank of a process that runs the script `rank.js`; null for every other one. */
export function rankOf(pid: number): number | null {
  const words = read(pid, 'cmdline').split('\0');
  const runs = words.some((word) => word.endsWith('rank.js'));
  const launches = words.some((word) => /mpirun|mpiexec|hydra|unshare|syncrun\/main/.test(word));
  if (!runs || launches || !/node$/.test(words[0])) return null;
  const found = /(?:^|\0)(?:PMI_RANK|OMPI_COMM_WORLD_RANK)=(\d+)/.exec(read(pid, 'environ'));
  return found === null ? null : Number(found[1]);
}

function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}
