/** Standard error as a terminal, with a {@link StatusBlock} below all output. */

import { fstatSync } from 'node:fs';
import { beforeSaying, say } from '../common/write-all.js';
import type { OutputStream } from '../threads/events.js';
import { ConsoleWriter } from './console-writer.js';
import type { Settings } from './options/settings.js';
import { StatusBlock } from './status-block.js';

/** Milliseconds between looks for changes. */
const TICK_MS = 200;
const NEWLINE = 10;

export class Terminal {
  readonly #writer = new ConsoleWriter(2);
  readonly #block: StatusBlock;
  readonly #timer: NodeJS.Timeout;
  readonly #streams: readonly OutputStream[];

  /** The terminal of a world that is waited for; null if there is none. */
  static of({ join, workerNum, processes }: Settings): Terminal | null {
    if (!join || !process.stderr.isTTY || process.env.TERM === 'dumb') return null;
    const here = processes?.localWorkerNum ?? workerNum;
    return new Terminal(`${here} ranks${here < workerNum ? ' here' : ''}`);
  }

  private constructor(ranks: string) {
    this.#block = new StatusBlock(ranks, () => process.stderr.rows);
    const both = process.stdout.isTTY && fstatSync(1).rdev === fstatSync(2).rdev;
    this.#streams = both ? ['stdout', 'stderr'] : ['stderr'];
    this.#timer = setInterval(() => this.#update(), TICK_MS).unref();
    beforeSaying(() => this.#makeRoom());
  }

  /** True if `stream` goes to this terminal. */
  takes(stream: OutputStream): boolean {
    return this.#streams.includes(stream);
  }

  get block(): StatusBlock {
    return this.#block;
  }

  /** Shows whole lines. @returns a promise when too many bytes wait */
  write(lines: Uint8Array): Promise<void> | undefined {
    const end = lines.at(-1) === NEWLINE ? '' : '\n';
    const parts = [Buffer.from(this.#block.erase()), lines, Buffer.from(end + this.#block.draw())];
    return this.#writer.write(Buffer.concat(parts));
  }

  /** Takes the block away; resolves when all bytes are written, or nobody reads them. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#writer.write(Buffer.from(this.#block.erase()));
    await this.#writer.drained();
  }

  /** Takes the block away, unless the terminal stands still. */
  leave(): void {
    clearInterval(this.#timer);
    say('');
  }

  #update(): void {
    if (!this.#writer.idle) return;
    const changed = this.#block.draw();
    if (changed !== '') this.#writer.write(Buffer.from(changed));
  }

  /** @returns the text to write before messages of the launcher's own */
  #makeRoom(): string {
    return this.#writer.idle ? this.#block.erase() : '';
  }
}
