/** What the options of `syncrun` mean: checks them all before anything starts. */

import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { logNameOf } from '../log-files.js';
import { hostsOf, launcherOf, type ProcessSettings } from './hosts.js';
import { suggestion } from './nearest.js';
import { OPTIONS, type OptionName } from './table.js';
import { boolean, type Given, seconds } from './values.js';

/** A run of `syncrun`; survives JSON, for the background process gets it as such. */
export interface Settings {
  /** Absolute path. */
  readonly script: string;
  readonly args: readonly string[];
  readonly workerNum: number;
  /** How ranks that are processes start; null: they are threads. */
  readonly processes: ProcessSettings | null;
  readonly join: boolean;
  /** Absolute path. */
  readonly logDir: string;
  readonly logName: string;
  /** Seconds; negative: for ever. */
  readonly clusterTimeOut: number;
  /** Ranks whose output also goes to the console. */
  readonly tail: readonly number[];
}

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.tsx', '.jsx'];

/** @throws RangeError that names the option, its rule and the value, for any that is wrong */
export function settingsOf(given: Given, script: string, args: readonly string[]): Settings {
  const text = (name: OptionName) => given[name] ?? OPTIONS[name].default;
  const hosts = hostsOf(given);
  const processes = launcherOf(text('launcher'), hosts) === 'processes' ? hosts : null;
  if (processes === null && hosts.bindCore) {
    throw new RangeError(
      '--bind_core=True is not possible with threads, which Node cannot pin to cores; use ' +
        '--launcher=processes, or limit all of them together: taskset -c 0-3 syncrun ...',
    );
  }
  const { workerNum } = hosts;
  return {
    script: findScript(script),
    args,
    workerNum,
    processes,
    join: boolean('join', text('join')),
    logDir: resolve(nonEmpty('log_dir', text('log_dir'))),
    logName: logNameOf(text('worker_log_name')),
    clusterTimeOut: seconds('cluster_time_out', text('cluster_time_out')),
    tail: rankList('tail_worker_log', text('tail_worker_log'), workerNum),
  };
}

function nonEmpty(name: OptionName, text: string): string {
  if (text === '') throw new RangeError(`--${name} must not be empty`);
  return text;
}

function rankList(name: OptionName, text: string, ranks: number): number[] {
  if (text.trim() === '-1') return Array.from({ length: ranks }, (_, rank) => rank);
  const list = text
    .split(',')
    .map((word) => (/^\s*\d+\s*$/.test(word) ? Number(word) : Number.NaN));
  if (list.some(Number.isNaN)) {
    throw new RangeError(
      `--${name} must be -1 or ranks with commas between, as 0,2, got '${text}'`,
    );
  }
  const outside = list.find((rank) => rank >= ranks);
  if (outside !== undefined) {
    throw new RangeError(`--${name} names rank ${outside}, and the ranks are 0 to ${ranks - 1}`);
  }
  return [...new Set(list)];
}

function findScript(script: string): string {
  const path = resolve(nonEmptyScript(script));
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new RangeError(
      `there is no script '${script}'${suggestion(basename(path), neighbours(path))}`,
    );
  }
  if (!stats.isFile()) throw new RangeError(`the script must be a file, and '${script}' is none`);
  const extension = extname(path);
  if (extension !== '' && !EXTENSIONS.includes(extension)) {
    throw new RangeError(
      `the script must be JavaScript or TypeScript (${EXTENSIONS.join(' ')}), got '${script}'`,
    );
  }
  return path;
}

function nonEmptyScript(script: string): string {
  if (script === '') throw new RangeError('the script must not be an empty word');
  return script;
}

/** Names of the scripts in the folder where `path` should be. */
function neighbours(path: string): string[] {
  try {
    return readdirSync(dirname(path)).filter((name) => EXTENSIONS.includes(extname(name)));
  } catch {
    return [];
  }
}
