/** Strangers at the port where hosts meet, and people who know the secret. */

import { createHmac, randomBytes } from 'node:crypto';
import { connect, createServer, type Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import { stretch } from '../../src/launch/processes/handshake.js';
import { until } from '../launch/support.js';
import { freePort, SECRET, startHost } from './hosts.js';
import { rankProgram } from './run.js';

export const PROTOCOL = 'syncbn-launch-2';
export const faults = (mode: string) => ({ script: rankProgram('mpi-faults'), args: [mode] });
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A connection that speaks raw lines. */
export class Stranger {
  readonly socket: Socket;
  readonly lines: string[] = [];
  closed = false;
  #rest = '';

  constructor(socket: Socket) {
    this.socket = socket;
    onTestFinished(() => void socket.destroy());
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (text) => {
      const parts = (this.#rest + text).split('\n');
      this.#rest = parts.pop() ?? '';
      this.lines.push(...parts);
    });
  }

  static async dial(port: number): Promise<Stranger> {
    for (;;) {
      const socket = connect(port, '127.0.0.1');
      const reached = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (reached) return new Stranger(socket);
      await pause(30);
    }
  }

  say(line: string): void {
    this.socket.write(`${line}\n`);
  }

  async line(): Promise<string> {
    await until(() => this.lines.length > 0 || this.closed);
    return this.lines.shift() ?? '';
  }
}

const sign = (key: Buffer, ...parts: string[]) =>
  createHmac('sha256', key).update(parts.join('\n')).digest();

/** Somebody who knows the secret. */
export class Insider {
  readonly stranger: Stranger;
  readonly #key: Buffer;
  readonly #side: string;
  #sent = 0;

  constructor(stranger: Stranger, side: string, key: Buffer) {
    this.stranger = stranger;
    this.#side = side;
    this.#key = key;
  }

  /** Proves to the hub at `port` that it knows the secret. */
  static async join(port: number): Promise<Insider> {
    const stranger = await Stranger.dial(port);
    const key = await stretch(SECRET);
    const mine = randomBytes(32).toString('hex');
    stranger.say(`${PROTOCOL} ${mine}`);
    const theirs = (await stranger.line()).split(' ')[1];
    stranger.say(sign(key, 'host', theirs, mine).toString('hex'));
    expect(await stranger.line()).toBe(sign(key, 'hub', theirs, mine).toString('hex'));
    return new Insider(stranger, 'host', sign(key, 'session', theirs, mine));
  }

  /** A hub that knows the secret and does as it likes. */
  static async lure(port: number): Promise<Insider> {
    const key = await stretch(SECRET);
    const socket = await new Promise<Socket>((resolve) => {
      const server = createServer(resolve).listen(port, '127.0.0.1');
      onTestFinished(() => void server.close());
    });
    const stranger = new Stranger(socket);
    const mine = randomBytes(32).toString('hex');
    stranger.say(`${PROTOCOL} ${mine}`);
    const theirs = (await stranger.line()).split(' ')[1];
    expect(await stranger.line()).toBe(sign(key, 'host', mine, theirs).toString('hex'));
    stranger.say(sign(key, 'hub', mine, theirs).toString('hex'));
    return new Insider(stranger, 'hub', sign(key, 'session', mine, theirs));
  }

  send(message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.sendLine(this.#sent++, text);
  }

  sendLine(number: number, text: string, side = this.#side): void {
    const signature = sign(this.#key, side, String(number), text).toString('hex');
    this.stranger.say(`${signature} ${text}`);
  }
}

/** The world of two real hosts, in which `attack` happens before the second one comes. */
export async function worldDuring(attack: (port: number) => Promise<void>) {
  const port = await freePort();
  const first = startHost(port, { ...faults('release'), nodeRank: 0 });
  await attack(port);
  const second = await startHost(port, { ...faults('release'), nodeRank: 1 });
  return [await first, second];
}
