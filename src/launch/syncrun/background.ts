/** Starts the world of `syncrun --join=False` in a background process. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeAll } from '../threads/write-all.js';
import { Logs } from './logs.js';
import type { PreparedWorld } from './prepare.js';

const ENTRY = fileURLToPath(new URL('./background-main.js', import.meta.url));

/** File in the log folder that holds what the launcher itself has to say. */
const LAUNCHER_LOG = 'syncrun.log';

/** Starts the world in a process of its own, which outlives this one and its terminal. */
export async function startInBackground({ settings, ...rest }: PreparedWorld): Promise<void> {
  const { logDir, workerNum, processes } = settings;
  const log = openSync(join(logDir, LAUNCHER_LOG), 'w');
  const world: PreparedWorld = { settings: { ...settings, tail: [] }, ...rest };
  const words = [...process.execArgv, ENTRY, JSON.stringify(world)];
  const stdio = ['ignore', log, log] as const;
  const child = spawn(process.execPath, words, { detached: true, stdio: [...stdio] });
  await once(child, 'spawn');
  child.unref();
  closeSync(log);
  const local = processes?.localWorkerNum ?? workerNum;
  const ranks = local < workerNum ? `${local} of ${workerNum} ranks` : `${workerNum} ranks`;
  const path = new Logs(settings).path(local < workerNum ? 'RANK' : `{0..${workerNum - 1}}`);
  writeAll(
    1,
    `syncrun: ${ranks} run in the background, process ${child.pid}; kill ${child.pid} ends them\n` +
      `syncrun: their logs are ${path}; what syncrun itself says is in ${LAUNCHER_LOG} beside them\n`,
  );
}
