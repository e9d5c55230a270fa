/** Where the output of ranks that are processes goes: a log for each, and the console. */

import { closeSync } from 'node:fs';
import { writeAll } from '../common/write-all.js';
import type { OutputStream } from '../threads/protocol.js';
import { ConsoleWriter } from './console-writer.js';
import { logPath, openLog } from './log-files.js';
import type { Settings } from './options/settings.js';

export class ProcessLogs {
  readonly #settings: Settings;
  readonly #console = { stdout: new ConsoleWriter(1), stderr: new ConsoleWriter(2) };
  /** Descriptors by rank; which ranks are on this host shows only when the world has formed. */
  readonly #logs = new Map<number, number>();

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  /** Empties and opens the log of a rank that has started. */
  open(rank: number): void {
    this.#logs.set(rank, openLog(this.path(rank)));
  }

  path(rank: number): string {
    return logPath(this.#settings.logDir, this.#settings.logName, rank);
  }

  has(rank: number): boolean {
    return this.#logs.has(rank);
  }

  /** @returns a promise when the console is behind */
  write(rank: number, stream: OutputStream, bytes: Buffer): Promise<void> | undefined {
    writeAll(this.#logs.get(rank)!, bytes);
    return this.#settings.tail.includes(rank) ? this.#console[stream].write(bytes) : undefined;
  }

  /** Writes `line` at the end of every log. */
  conclude(line: string): void {
    for (const log of this.#logs.values()) writeAll(log, line);
  }

  async close(): Promise<void> {
    await Promise.all([this.#console.stdout.drained(), this.#console.stderr.drained()]);
    for (const log of this.#logs.values()) closeSync(log);
  }
}
