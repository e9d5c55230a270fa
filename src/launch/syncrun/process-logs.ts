/** Where the output of ranks that are processes goes: a log for each, and the console. */

import { closeSync, openSync } from 'node:fs';
import type { OutputStream } from '../threads/events.js';
import { writeAll } from '../threads/write-all.js';
import { ConsoleWriter } from './console-writer.js';
import { Logs } from './logs.js';
import type { Settings } from './options/settings.js';

export class ProcessLogs {
  readonly #logs: Logs;
  readonly #tail: readonly number[];
  readonly #console = { stdout: new ConsoleWriter(1), stderr: new ConsoleWriter(2) };
  /** Descriptors by rank; which ranks are on this host shows only when the world has formed. */
  readonly #open = new Map<number, number>();

  constructor(settings: Settings) {
    this.#logs = new Logs(settings);
    this.#tail = settings.tail;
  }

  /** Empties and opens the log of a rank that has started. */
  open(rank: number): void {
    this.#logs.empty(rank);
    this.#open.set(rank, openSync(this.#logs.path(rank), 'a'));
  }

  /** The path of a rank's log, or words for it when it is on another host. */
  where(rank: number): string {
    return this.#open.has(rank) ? this.#logs.path(rank) : `the log of rank ${rank} there`;
  }

  /** @returns a promise when the console is behind */
  write(rank: number, stream: OutputStream, bytes: Uint8Array): Promise<void> | undefined {
    writeAll(this.#open.get(rank)!, bytes);
    return this.#tail.includes(rank) ? this.#console[stream].write(bytes) : undefined;
  }

  /** Writes `line` at the end of every log. */
  conclude(line: string): void {
    for (const log of this.#open.values()) writeAll(log, line);
  }

  async close(): Promise<void> {
    await Promise.all([this.#console.stdout.drained(), this.#console.stderr.drained()]);
    for (const log of this.#open.values()) closeSync(log);
  }
}
