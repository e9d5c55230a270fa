#!/usr/bin/env node
/**
 * `syncrun`: runs a script on every rank of a new world. MindSpore's msrun, with its options; see
 * `syncrun --help`.
 */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runtimeProblem } from '../common/runtime.js';
import { writeAll } from '../common/write-all.js';
import { analyze, readRecord } from './analyze.js';
import { startInBackground } from './background.js';
import { type CommandLine, parseCommandLine } from './options/command-line.js';
import { type Settings, settingsOf } from './options/settings.js';
import { helpText, valuesOf } from './options/table.js';
import { boolean } from './options/values.js';
import { type PreparedWorld, prepareWorld } from './prepare.js';
import { runPrepared } from './run.js';
import { statusOfJobs } from './status.js';

/** The script of `--check`. */
const CHECK = new URL('../../check/main.js', import.meta.url);
/** Exit status of a command that could not be started as it was written. */
const USAGE_STATUS = 2;

/** Reads and checks everything before anything starts; null if only information was asked for. */
async function prepare(argv: readonly string[]): Promise<PreparedWorld | null> {
  const problem = runtimeProblem(process.versions);
  if (problem !== null) throw new RangeError(problem);
  const line = parseCommandLine(argv);
  if (line.kind === 'run' && line.given.status !== undefined) {
    const { log_dir } = valuesOf(line.given);
    writeAll(1, await statusOfJobs(log_dir));
    return null;
  }
  if (line.kind === 'run') return prepareWorld(settingsFor(line));
  if (line.kind === 'analyze') {
    writeAll(1, analyze(line.files.map(readRecord)));
    return null;
  }
  writeAll(1, line.kind === 'help' ? helpText() : `syncrun ${version()}\n`);
  return null;
}

/** A check is a run of our own script, which is waited for. */
function settingsFor({ given, script, args }: CommandLine & { kind: 'run' }): Settings {
  if (given.check === undefined || !boolean(given.check, 'check')) {
    return settingsOf(given, script, args);
  }
  if (script !== '') throw new RangeError(`--check runs no script, got '${script}'`);
  return { ...settingsOf(given, fileURLToPath(CHECK), [version()]), join: true, rankPrefix: false };
}

function version(): string {
  const manifest = new URL('../../../package.json', import.meta.url);
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}

async function main(argv: readonly string[]): Promise<number> {
  let world: PreparedWorld | null;
  try {
    world = await prepare(argv);
  } catch (error) {
    writeAll(2, `syncrun: ${(error as Error).message}\n`);
    return USAGE_STATUS;
  }
  if (world === null) return 0;
  if (world.settings.join) return runPrepared(world);
  return startInBackground(world);
}

process.exit(await main(process.argv.slice(2)));
