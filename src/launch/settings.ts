/** What the options of `syncrun` mean: checks them all before anything starts. */

import { readdirSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { basename, dirname, extname, resolve } from 'node:path';
import { logNameOf } from './log-files.js';
import { suggestion } from './nearest.js';
import { OPTIONS, type OptionName } from './option-table.js';

/** A run of `syncrun`; survives JSON, for the background process gets it as such. */
export interface Settings {
  /** Absolute path. */
  readonly script: string;
  readonly args: readonly string[];
  readonly workerNum: number;
  readonly join: boolean;
  /** Absolute path. */
  readonly logDir: string;
  readonly logName: string;
  /** Seconds; negative: for ever. */
  readonly clusterTimeOut: number;
  /** Ranks whose output also goes to the console. */
  readonly tail: readonly number[];
}

type Given = Partial<Record<OptionName, string>>;

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.tsx', '.jsx'];
const HOST_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

/** @throws RangeError that names the option, its rule and the value, for any that is wrong */
export function settingsOf(given: Given, script: string, args: readonly string[]): Settings {
  const text = (name: OptionName) => given[name] ?? OPTIONS[name].default;
  checkMeeting(text('master_addr'), text('master_port'));
  const workerNum = countRanks(given, integer('node_rank', text('node_rank'), -1));
  if (boolean('bind_core', text('bind_core'))) {
    throw new RangeError(
      '--bind_core=True is not possible: ranks are threads of one process, and Node cannot pin a ' +
        'thread to a core; to limit all of them together, use: taskset -c 0-3 syncrun ...',
    );
  }
  return {
    script: findScript(script),
    args,
    workerNum,
    join: boolean('join', text('join')),
    logDir: resolve(nonEmpty('log_dir', text('log_dir'))),
    logName: logNameOf(text('worker_log_name')),
    clusterTimeOut: seconds('cluster_time_out', text('cluster_time_out')),
    tail: rankList('tail_worker_log', text('tail_worker_log'), workerNum),
  };
}

/** Ranks on this host, which must be all there are. */
function countRanks(given: Given, nodeRank: number): number {
  const { worker_num: all, local_worker_num: local } = given;
  const workerNum = integer('worker_num', all ?? local ?? OPTIONS.worker_num.default, 1);
  const localNum = integer('local_worker_num', local ?? String(workerNum), 1);
  if (localNum > workerNum) {
    throw new RangeError(
      `--local_worker_num must be at most --worker_num, which is ${workerNum}, got ${localNum}`,
    );
  }
  if (localNum < workerNum || nodeRank > 0) {
    throw new RangeError(
      `--worker_num=${workerNum} --local_worker_num=${localNum} --node_rank=${nodeRank} means several ` +
        'hosts, and syncrun starts ranks on one; on several, start them by MPI (mpirun)',
    );
  }
  return workerNum;
}

/** One host meets nobody, but a mistake should show before the second host is added. */
function checkMeeting(address: string, port: string): void {
  if (isIP(address) === 0 && !HOST_NAME.test(address)) {
    throw new RangeError(`--master_addr must be a host's name or address, got '${address}'`);
  }
  const number = integer('master_port', port, 1);
  if (number > 65535) {
    throw new RangeError(`--master_port must be an integer from 1 to 65535, got ${number}`);
  }
}

function integer(name: OptionName, text: string, least: number): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`--${name} must be an integer of ${least} or more, got '${text}'`);
  }
  return value;
}

function seconds(name: OptionName, text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!Number.isFinite(value) || value === 0) {
    throw new RangeError(
      `--${name} must be a number of seconds, negative for no limit, and not 0, got '${text}'`,
    );
  }
  return value;
}

function boolean(name: OptionName, text: string): boolean {
  if (/^(true|1)$/i.test(text)) return true;
  if (/^(false|0)$/i.test(text)) return false;
  const meant = suggestion(text, ['True', 'False']);
  throw new RangeError(`--${name} must be True or False, got '${text}'${meant}`);
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
