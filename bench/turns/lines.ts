/** Links to processes: a request is a line of JSON, and so is the reply. */

import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { Link } from './contestant.js';
import type { Reply, Request } from './protocol.js';

export class LineLink implements Link {
  readonly #lines: AsyncIterator<string>;
  readonly #output: Writable;
  readonly lastWords: () => string;

  /** @param lastWords what an error adds when the process ended without a reply */
  constructor(input: Readable, output: Writable, lastWords: () => string) {
    this.#lines = createInterface({ input })[Symbol.asyncIterator]();
    this.#output = output;
    this.lastWords = lastWords;
    // A process that has ended is noticed where its reply is missing.
    output.on('error', () => {});
  }

  async ask(request: Request): Promise<Reply> {
    this.#output.write(`${JSON.stringify(request)}\n`);
    return this.read<Reply>();
  }

  /** The next line that the other side writes. */
  async read<T>(): Promise<T> {
    const line = await this.#lines.next();
    if (line.done) throw new Error(`a process ended: ${this.lastWords()}`);
    return JSON.parse(line.value) as T;
  }
}
