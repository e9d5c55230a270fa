#!/usr/bin/env node
/**
 * `syncrun`: runs a script on every rank of a new world. MindSpore's msrun, with its options; see
 * `syncrun --help`.
 */

import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { LAUNCHER_LOG, startInBackground } from './background.js';
import { parseCommandLine } from './command-line.js';
import { openLogs } from './log-files.js';
import { helpText } from './option-table.js';
import { runWorld } from './run-world.js';
import { type Settings, settingsOf } from './settings.js';
import { findTsx } from './typescript.js';
import { writeAll } from './write-all.js';

/** Exit status of a command that could not be started as it was written. */
const USAGE_STATUS = 2;

interface Prepared {
  readonly settings: Settings;
  readonly logs: number[];
}

/** Reads and checks all there is before anything starts; null when only information was asked. */
function prepare(argv: readonly string[]): Prepared | null {
  const line = parseCommandLine(argv);
  if (line.kind === 'run') {
    const settings = settingsOf(line.given, line.script, line.args);
    findTsx(pathToFileURL(settings.script));
    return { settings, logs: openLogs(settings.logDir, settings.logName, settings.workerNum) };
  }
  writeAll(1, line.kind === 'help' ? helpText() : `syncrun ${version()}\n`);
  return null;
}

function version(): string {
  const manifest = new URL('../../package.json', import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

async function detach({ settings, logs }: Prepared): Promise<number> {
  logs.forEach(closeSync);
  const pid = await startInBackground({ ...settings, tail: [] });
  const { logDir, logName, workerNum } = settings;
  const path = join(logDir, `${logName}_{0..${workerNum - 1}}.log`);
  writeAll(
    1,
    `syncrun: ${workerNum} ranks run in the background, process ${pid}; kill ${pid} ends them\n` +
      `syncrun: their logs are ${path}; what syncrun itself says is in ${LAUNCHER_LOG} beside them\n`,
  );
  return 0;
}

async function main(argv: readonly string[]): Promise<number> {
  let prepared: Prepared | null;
  try {
    prepared = prepare(argv);
  } catch (error) {
    writeAll(2, `syncrun: ${(error as Error).message}\n`);
    return USAGE_STATUS;
  }
  if (prepared === null) return 0;
  const { settings, logs } = prepared;
  return settings.join ? runWorld(settings, logs) : detach(prepared);
}

process.exit(await main(process.argv.slice(2)));
