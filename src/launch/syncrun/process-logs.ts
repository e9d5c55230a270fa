/** Receives the output of ranks that are processes: a log for each, and the console. */

import { closeSync } from 'node:fs';
import { writeAll } from '../common/write-all.js';
import type { OutputStream } from '../threads/events.js';
import type { FailedLog, Thrown } from './failure-report.js';
import { Logs } from './logs.js';
import type { Settings } from './options/settings.js';
import { RankConsole } from './rank-console.js';

export class ProcessLogs {
  readonly thrown: Thrown[] = [];
  readonly #logs: Logs;
  readonly #console: RankConsole;
  /** Descriptors by rank. The ranks on this host are known only when the world has formed. */
  readonly #open = new Map<number, number | null>();

  constructor(settings: Settings) {
    this.#logs = new Logs(settings);
    this.#console = new RankConsole(settings);
  }

  /** Makes and opens the log of a rank that has started. */
  open(rank: number): void {
    this.#console.started(rank);
    this.#open.set(rank, null);
    this.#try(rank, () => this.#open.set(rank, this.#logs.create(rank)));
  }

  /** Takes an error of a rank. Node prints it next, for the log alone: the report shows it. */
  take(thrown: Thrown): void {
    this.thrown.push(thrown);
  }

  /** @returns a promise when the console is behind */
  write(rank: number, stream: OutputStream, bytes: Uint8Array): Promise<void> | undefined {
    this.#log(rank, bytes);
    const last = stream === 'stderr' && this.thrown.some((thrown) => thrown.rank === rank);
    return last ? undefined : this.#console.write(rank, stream, bytes);
  }

  ended(rank: number): void {
    this.#console.ended(rank);
  }

  askForRecords(): void {
    this.#logs.askForRecords();
  }

  get recordHint(): string {
    return this.#logs.recordHint;
  }

  get recordPath(): string {
    return this.#logs.recordPath;
  }

  /** The log of a rank, which may be on another host. */
  describe(rank: number, tail: string): FailedLog {
    const here = this.#open.has(rank);
    const path = here ? this.#logs.path(rank) : `the log of rank ${rank} there`;
    return { path, tail, shown: here && this.#console.shows(rank) };
  }

  /** Writes `line` at the end of every log, and waits for no console. */
  conclude(line: string): void {
    this.#console.leave();
    for (const rank of this.#open.keys()) this.#log(rank, line);
  }

  async close(): Promise<void> {
    await this.#console.close();
    for (const log of this.#open.values()) if (log !== null) closeSync(log);
  }

  #log(rank: number, bytes: Uint8Array | string): void {
    const log = this.#open.get(rank) ?? null;
    if (log !== null) this.#try(rank, () => writeAll(log, bytes));
  }

  /** Reports a log that fails, and the rank goes on without it. */
  #try(rank: number, write: () => void): void {
    try {
      write();
    } catch (error) {
      this.#open.set(rank, null);
      this.#logs.lost(rank, (error as Error).message);
    }
  }
}
