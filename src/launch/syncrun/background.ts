/** Starts the world of `syncrun --join=False` in a background process. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SECRET_VARIABLE } from '../processes/index.js';
import { openLog } from './log-files.js';
import type { Settings } from './options/settings.js';

const ENTRY = fileURLToPath(new URL('./background-main.js', import.meta.url));

/** File in the log folder that holds what the launcher itself has to say. */
export const LAUNCHER_LOG = 'syncrun.log';

/**
 * Starts the world in a process of its own, which outlives this one and its terminal.
 * @param secret of several hosts; passed in its environment, since others can read command lines
 * @returns its process id
 */
export async function startInBackground(
  settings: Settings,
  secret: string | null,
): Promise<number> {
  const log = openLog(join(settings.logDir, LAUNCHER_LOG));
  const env = secret === null ? process.env : { ...process.env, [SECRET_VARIABLE]: secret };
  const child: ChildProcess = spawn(
    process.execPath,
    [...process.execArgv, ENTRY, JSON.stringify(settings)],
    { detached: true, stdio: ['ignore', log, log], env },
  );
  await once(child, 'spawn');
  child.unref();
  closeSync(log);
  return child.pid!;
}
