/** An authenticated connection: every line carries a signature over its number and its text. */

import { createHmac } from 'node:crypto';
import type { Session, Side } from './handshake.js';
import { type Channel, type Listener, type Message, parseMessage } from './messages.js';

/** A barrier's keys: a few hundred bytes a rank. */
const MAX_LINE = 1 << 24;
const SIGNATURE_LENGTH = 64;
/** Milliseconds between signs of life, and without one until a host counts as lost. */
const PING_MS = 2000;
const SILENCE_MS = 20_000;
/** Milliseconds for the last messages to go out. */
const FAREWELL_MS = 2000;

export class Link implements Channel {
  readonly #session: Session;
  readonly #side: Side;
  readonly #listener: Listener;
  readonly #ping: ReturnType<typeof setInterval>;
  #sent = 0;
  #received = 0;
  #heard = performance.now();
  #closed = false;

  constructor(session: Session, side: Side, listener: Listener) {
    this.#session = session;
    this.#side = side;
    this.#listener = listener;
    session.lines.allow(MAX_LINE);
    this.#ping = setInterval(() => this.#beat(), PING_MS);
    void this.#read();
  }

  send(message: Message): void {
    if (this.#closed) return;
    const text = JSON.stringify(message);
    this.#session.socket.write(`${this.#sign(this.#side, this.#sent++, text)} ${text}\n`);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ping);
    const { socket } = this.#session;
    if (socket.destroyed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => socket.destroy(), FAREWELL_MS);
      socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      socket.end();
      // Reads on, since a socket with unread data resets the connection and loses the last words.
      socket.resume();
    });
  }

  async #read(): Promise<void> {
    const other: Side = this.#side === 'hub' ? 'host' : 'hub';
    try {
      for (;;) {
        const line = await this.#session.lines.next();
        this.#heard = performance.now();
        const message = this.#open(line, other);
        if (message.type !== 'ping' && !this.#closed) this.#listener.receive(message);
      }
    } catch (error) {
      this.#lose((error as Error).message);
    }
  }

  #open(line: string, from: Side): Message {
    const text = line.slice(SIGNATURE_LENGTH + 1);
    // The whole comparison is no secret here: a forger gets one try, then the link is gone.
    if (line.slice(0, SIGNATURE_LENGTH + 1) !== `${this.#sign(from, this.#received++, text)} `) {
      throw new Error('a garbled or forged message came');
    }
    return parseMessage(text);
  }

  #sign(from: Side, number: number, text: string): string {
    return createHmac('sha256', this.#session.key)
      .update(`${from}\n${number}\n${text}`)
      .digest('hex');
  }

  #beat(): void {
    if (performance.now() - this.#heard > SILENCE_MS) {
      this.#lose(`nothing was heard for ${SILENCE_MS / 1000} s`);
    } else this.send({ type: 'ping' });
  }

  #lose(why: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ping);
    this.#session.socket.destroy();
    this.#listener.lost(why);
  }
}
