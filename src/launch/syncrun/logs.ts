/** The logs of the ranks on this host: one file for each. */

import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
} from 'node:fs';
import { join } from 'node:path';
import { lastLines, TAIL_LENGTH } from '../tail.js';
import type { Settings } from './options/settings.js';

export class Logs {
  readonly #folder: string;
  readonly #name: string;

  constructor({ logDir, logName }: Settings) {
    this.#folder = logDir;
    this.#name = logName;
  }

  path(rank: number | string): string {
    return join(this.#folder, `${this.#name}_${rank}.log`);
  }

  /**
   * Makes the folder when it is missing, and an empty log for each of `ranks`.
   * @throws RangeError when the folder or a log cannot be written to
   */
  prepare(ranks: Iterable<number>): void {
    try {
      mkdirSync(this.#folder, { recursive: true });
      accessSync(this.#folder, constants.W_OK);
      for (const rank of ranks) this.empty(rank);
    } catch (cause) {
      const why = (cause as Error).message;
      throw new RangeError(`--log_dir must be a folder that can be written to: ${why}`, { cause });
    }
  }

  empty(rank: number): void {
    closeSync(openSync(this.path(rank), 'w'));
  }

  append(rank: number, text: string): void {
    appendFileSync(this.path(rank), text);
  }

  tail(rank: number): string {
    const file = openSync(this.path(rank), 'r');
    const { size } = fstatSync(file);
    const start = Math.max(0, size - TAIL_LENGTH);
    const bytes = Buffer.alloc(size - start);
    readSync(file, bytes, 0, bytes.length, start);
    closeSync(file);
    // The first line may have been cut.
    const text = bytes.toString();
    return lastLines(start > 0 ? text.slice(text.indexOf('\n') + 1) : text);
  }
}

/** The end of a log, as it is shown on a console. */
export function quoteTail(path: string, tail: string): string {
  return `syncrun: the end of ${path}:\n${tail.replaceAll(/^/gm, '  ')}\n`;
}
