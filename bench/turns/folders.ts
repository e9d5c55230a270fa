/** Folders for what goes between processes; they vanish when this process ends. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A new folder. A process that a signal ends must call `process.exit`, or the folder stays. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'syncbn-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
