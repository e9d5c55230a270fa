/** Open files: every rank needs some, and the shell sets a limit. */

import { readFileSync } from 'node:fs';

/** Files that each rank takes in this process, and files that this process takes for itself. */
const PER_RANK = 6;
const OWN = 40;

/** @throws RangeError when there are too few for `ranks` ranks in this process or as its children */
export function checkDescriptors(ranks: number): void {
  const limit = openFiles();
  const needed = OWN + PER_RANK * ranks;
  if (limit === null || limit >= needed) return;
  throw new RangeError(
    `${ranks} ranks need some ${needed} open files here, and this shell allows ${limit}; ` +
      `raise it with: ulimit -n ${needed}`,
  );
}

/** The limit of this process; null when the system does not tell. */
function openFiles(): number | null {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? Number.NaN) || null;
  } catch {
    return null;
  }
}
