/**
 * The ranks' output on this process's console: whole lines, each with its rank in front. On a
 * terminal, the state of the ranks stands below.
 */

import type { OutputStream } from '../threads/events.js';
import { ConsoleWriter } from './console-writer.js';
import type { Settings } from './options/settings.js';
import { Terminal } from './terminal.js';

/** Bytes of an unfinished line after which a part of it is shown. */
const MAX_LINE = 1 << 20;
const NEWLINE = 10;

export class RankConsole {
  readonly #ranks: ReadonlySet<number>;
  /** True if lines of several ranks can meet here. */
  readonly #several: boolean;
  readonly #prefix: boolean;
  readonly #writers = { stdout: new ConsoleWriter(1), stderr: new ConsoleWriter(2) };
  readonly #terminal: Terminal | null;
  /** Beginnings of lines by stream and rank. */
  readonly #begun = new Map<string, { chunks: Uint8Array[]; bytes: number }>();

  constructor(settings: Settings) {
    const { tail, workerNum, processes, rankPrefix } = settings;
    this.#ranks = new Set(tail);
    this.#several = tail.length > 1 && (processes?.localWorkerNum ?? workerNum) > 1;
    this.#prefix = rankPrefix && this.#several;
    this.#terminal = Terminal.of(settings);
  }

  /** True if it needs the ranks' output: to show some ranks, or the state of all on a terminal. */
  get listens(): boolean {
    return this.#ranks.size > 0 || this.#terminal !== null;
  }

  started(rank: number): void {
    this.#terminal?.block.started(rank);
  }

  ended(rank: number): void {
    this.#terminal?.block.ended(rank);
  }

  shows(rank: number): boolean {
    return this.#ranks.has(rank);
  }

  /** @returns a promise when the console is behind; it resolves when all bytes are written */
  write(rank: number, stream: OutputStream, bytes: Uint8Array): Promise<void> | undefined {
    this.#terminal?.block.heard(rank, bytes);
    if (!this.#ranks.has(rank)) return undefined;
    const writer = this.#terminal?.takes(stream) ? this.#terminal : this.#writers[stream];
    // Nothing can tear the lines of a single rank.
    const whole = this.#several || writer === this.#terminal;
    const shown = whole ? this.#wholeLines(rank, stream, bytes) : bytes;
    return shown.length === 0 ? undefined : writer.write(shown);
  }

  /** Shows unfinished lines; resolves when all bytes are written, or nobody reads them. */
  async close(): Promise<void> {
    for (const [name, { bytes }] of this.#begun) {
      const [stream, rank] = name.split(' ') as [OutputStream, string];
      if (bytes === 0) continue;
      this.write(Number(rank), stream, Buffer.from('\n'));
    }
    await Promise.all([this.#writers.stdout.drained(), this.#writers.stderr.drained()]);
    await this.#terminal?.close();
  }

  /** Ends without waiting for a console that stands still. */
  leave(): void {
    this.#terminal?.leave();
  }

  /** The part of a rank's bytes that can be shown; an unfinished line is kept. */
  #wholeLines(rank: number, stream: OutputStream, bytes: Uint8Array): Uint8Array {
    const name = `${stream} ${rank}`;
    const begun = this.#begun.get(name) ?? { chunks: [], bytes: 0 };
    this.#begun.set(name, begun);
    const long = begun.bytes + bytes.length > MAX_LINE;
    const end = long ? bytes.length : bytes.lastIndexOf(NEWLINE) + 1;
    const lines = end === 0 ? [] : [...begun.chunks, bytes.subarray(0, end)];
    const rest = bytes.subarray(end);
    begun.chunks = end === 0 ? [...begun.chunks, rest] : [rest];
    begun.bytes = end === 0 ? begun.bytes + rest.length : rest.length;
    const whole = Buffer.concat(lines);
    return this.#prefix ? prefixed(whole, Buffer.from(`[${rank}] `)) : whole;
  }
}

function prefixed(lines: Buffer, prefix: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let start = 0; start < lines.length; ) {
    const found = lines.indexOf(NEWLINE, start);
    const end = found < 0 ? lines.length : found + 1;
    parts.push(prefix, lines.subarray(start, end));
    start = end;
  }
  return Buffer.concat(parts);
}
