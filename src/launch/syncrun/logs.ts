/** The logs of the ranks on this host: one file for each. */

import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { lastLines, TAIL_LENGTH } from '../common/tail.js';
import { say } from '../common/write-all.js';
import { refuseRunning } from './job-file.js';
import type { Settings } from './options/settings.js';

export class Logs {
  readonly #folder: string;
  readonly #name: string;
  #warned = false;

  constructor({ logDir, logName }: Pick<Settings, 'logDir' | 'logName'>) {
    this.#folder = logDir;
    this.#name = logName;
  }

  path(rank: number | string): string {
    return join(this.#folder, `${this.#name}_${rank}.log`);
  }

  /** Path of the ranks' flight records, up to `_RANK.record.json`. */
  get recordPath(): string {
    return join(this.#folder, this.#name);
  }

  /** Asks the ranks for their flight records. */
  askForRecords(): void {
    try {
      writeFileSync(requestIn(this.#folder, this.#name), '');
    } catch (error) {
      say(`syncrun: ${(error as Error).message}\n`);
    }
  }

  /** Hint at the flight records that the ranks have written; empty if there are none. */
  get recordHint(): string {
    const command = `syncrun --analyze ${this.recordPath}_*.record.json`;
    const { length } = recordsIn(this.#folder, this.#name);
    return length > 0 ? `syncrun: where each rank stood: ${command}\n` : '';
  }

  /**
   * Makes the folder if it is missing, and an empty log for each of `ranks`; removes logs of ranks
   * that only an earlier and larger world had.
   * @throws RangeError when the folder or a log cannot be written to, or another job writes them
   */
  prepare(settings: Settings, ranks: Iterable<number>): void {
    try {
      mkdirSync(this.#folder, { recursive: true });
      accessSync(this.#folder, constants.W_OK);
      refuseRunning(settings);
      this.#removeFrom(settings.workerNum);
      this.#removeRecords();
      for (const rank of ranks) closeSync(this.create(rank));
    } catch (cause) {
      if (cause instanceof RangeError) throw cause;
      const why = (cause as Error).message;
      throw new RangeError(`--log_dir must be a folder that can be written to: ${why}`, { cause });
    }
  }

  #removeFrom(ranks: number): void {
    for (const name of readdirSync(this.#folder)) {
      const rank = /_(\d+)\.log$/.exec(name)?.[1];
      const old = rank !== undefined && Number(rank) >= ranks;
      if (old && join(this.#folder, name) === this.path(rank)) rmSync(this.path(rank));
    }
  }

  #removeRecords(): void {
    rmSync(requestIn(this.#folder, this.#name), { force: true });
    for (const path of recordsIn(this.#folder, this.#name)) rmSync(path);
  }

  /** Makes a new log in place of an old one, never through a link. @returns its descriptor */
  create(rank: number): number {
    const { O_CREAT, O_EXCL, O_APPEND, O_WRONLY } = constants;
    rmSync(this.path(rank), { force: true });
    return openSync(this.path(rank), O_CREAT | O_EXCL | O_APPEND | O_WRONLY, 0o644);
  }

  /** Adds the launcher's words about a rank to its log. */
  append(rank: number, text: string): void {
    try {
      appendFileSync(this.path(rank), text);
    } catch (error) {
      this.lost(rank, (error as Error).message);
    }
  }

  /** A log cannot be written to any more, which ends neither the rank nor its output elsewhere. */
  lost(rank: number, why: string): void {
    if (this.#warned) return;
    this.#warned = true;
    say(`syncrun: ${this.path(rank)} is not written any more: ${why}; the ranks go on without\n`);
  }

  /** The last lines of a log; empty when it cannot be read. */
  tail(rank: number): string {
    try {
      return readTail(this.path(rank));
    } catch {
      return '';
    }
  }
}

/** File that asks the ranks for their flight records, and the records that are there. */
export const requestIn = (folder: string, logName: string) => join(folder, `${logName}.request`);

export function recordsIn(folder: string, logName: string): string[] {
  const names = readdirSync(folder).filter((name) => name.startsWith(`${logName}_`));
  return names.filter((name) => /_\d+\.record\.json$/.test(name)).map((name) => join(folder, name));
}

function readTail(path: string): string {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const start = Math.max(0, size - TAIL_LENGTH);
    const bytes = Buffer.alloc(size - start);
    readSync(file, bytes, 0, bytes.length, start);
    const text = bytes.toString();
    // The first line may have been cut.
    return lastLines(start > 0 ? text.slice(text.indexOf('\n') + 1) : text);
  } finally {
    closeSync(file);
  }
}
