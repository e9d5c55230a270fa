#!/usr/bin/env node
/**
 * `syncrun`: runs a script on every rank of a new world. MindSpore's msrun, with its options; see
 * `syncrun --help`.
 */

import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeAll } from '../common/write-all.js';
import { LAUNCHER_LOG, startInBackground } from './background.js';
import { parseCommandLine } from './options/command-line.js';
import { type Settings, settingsOf } from './options/settings.js';
import { helpText } from './options/table.js';
import { type PreparedWorld, prepareWorld, runPrepared } from './prepare.js';

/** Exit status of a command that could not be started as it was written. */
const USAGE_STATUS = 2;

interface Prepared {
  readonly settings: Settings;
  readonly world: PreparedWorld;
}

/** Reads and checks all there is before anything starts; null when only information was asked. */
async function prepare(argv: readonly string[]): Promise<Prepared | null> {
  const line = parseCommandLine(argv);
  if (line.kind === 'run') {
    const settings = settingsOf(line.given, line.script, line.args);
    return { settings, world: await prepareWorld(settings) };
  }
  writeAll(1, line.kind === 'help' ? helpText() : `syncrun ${version()}\n`);
  return null;
}

function version(): string {
  const manifest = new URL('../../../package.json', import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

async function detach({ settings, world }: Prepared): Promise<number> {
  const { logDir, logName, workerNum, processes } = settings;
  world.logs.forEach(closeSync);
  const pid = await startInBackground({ ...settings, tail: [] }, world.secret);
  const several = processes !== null && processes.localWorkerNum < workerNum;
  const path = join(logDir, `${logName}_${several ? 'RANK' : `{0..${workerNum - 1}}`}.log`);
  const ranks = several
    ? `${processes.localWorkerNum} of ${workerNum} ranks`
    : `${workerNum} ranks`;
  writeAll(
    1,
    `syncrun: ${ranks} run in the background, process ${pid}; kill ${pid} ends them\n` +
      `syncrun: their logs are ${path}; what syncrun itself says is in ${LAUNCHER_LOG} beside them\n`,
  );
  return 0;
}

async function main(argv: readonly string[]): Promise<number> {
  let prepared: Prepared | null;
  try {
    prepared = await prepare(argv);
  } catch (error) {
    writeAll(2, `syncrun: ${(error as Error).message.replace(/^(launch|init): /, '')}\n`);
    return USAGE_STATUS;
  }
  if (prepared === null) return 0;
  return prepared.settings.join ? runPrepared(prepared.settings, prepared.world) : detach(prepared);
}

process.exit(await main(process.argv.slice(2)));
