/** A world whose ranks meet in a hub, by links that can only be awaited. */

import { checkInteger, checkType } from '../../core/checks.js';
import { describeError, RankFailedError } from '../../core/errors.js';
import { checkOptionNames } from '../../core/options.js';
import { show } from '../../core/show.js';
import { startTimer, type Timer } from '../../core/timer.js';
import { recorder } from '../rounds/recorder.js';
import { RoundsTransport } from '../rounds/transport.js';
import { Waiting } from '../rounds/waiting.js';
import { SoloTransport } from '../solo.js';
import { checkTimeout, DEFAULT_TIMEOUT } from '../timeout.js';
import type { Transport, World } from '../transport.js';
import { Bell } from './bell.js';
import { isLink, type Link } from './link.js';
import { decode, encode, type Hello, KIND, type Message, textOf } from './protocol.js';
import { RelayRounds } from './relay-rounds.js';

export interface RelayWorldOptions {
  /** This rank: 0 to `size` - 1, each taken once. */
  rank: number;
  /** Ranks of the world, as its hub counts them. */
  size: number;
  /** The way to the hub: `portLink` or `webSocketLink`. */
  link: Link;
  /** The hub's token. Default ''. */
  token?: string;
  /** Seconds that a collective, and the way into the world, may take by default. Default 600. */
  timeout?: number;
}

/**
 * Joins the world of a hub, for `init({ world: await relayWorld(...) })`. Resolves when the hub has
 * let this rank in; the other ranks may come later. Its collectives can only be awaited: `done()`
 * of works, `startForward` and `startBackward` of layers, `startAverageGradients`.
 * @throws TypeError for an option of the wrong type, RangeError for one out of range
 * @throws Error when the hub refuses the rank, with its reason, or does not answer in time
 */
export async function relayWorld(options: RelayWorldOptions): Promise<RelayWorld> {
  check(options);
  const { rank, size, link, token = '', timeout = DEFAULT_TIMEOUT } = options;
  const world = new RelayWorld(rank, size, link, timeout);
  const hello: Hello = { rank, size, token };
  await world.join(hello);
  return world;
}

interface Joining {
  resolve(): void;
  reject(error: Error): void;
}

/** A rank's view of a relay world; made by {@link relayWorld}. */
export class RelayWorld implements World {
  readonly kind = 'relay';
  readonly mayBlock = false;
  readonly rank: number;
  readonly size: number;
  readonly hostRanks: readonly number[];
  readonly timeout: number;
  readonly #link: Link;
  readonly #bell = new Bell();
  readonly #waiting = new Waiting(this.#bell);
  /** Groups by the number that this rank gives them. */
  readonly #groups = new Map<number, [RelayRounds, RoundsTransport]>();
  readonly #gone = new Set<number>();
  #opened = 0;
  #joining: Joining | null = null;
  #failure: RankFailedError | null = null;
  #hasEnded = false;

  constructor(rank: number, size: number, link: Link, timeout: number) {
    this.rank = rank;
    this.size = size;
    this.timeout = timeout;
    // A hub cannot tell which ranks share a host.
    this.hostRanks = [rank];
    this.#link = link;
    recorder.identify(rank, size);
  }

  /** Asks the hub to be let in; used by {@link relayWorld}. */
  async join(hello: Hello): Promise<void> {
    let timer: Timer;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#joining = { resolve, reject };
        const late = `relayWorld: no answer from the hub within ${this.timeout} s`;
        timer = startTimer(this.timeout, () => reject(new Error(late)));
        this.#link.listen({
          message: (data) => this.#receive(data),
          closed: (why) => this.#lose(why),
        });
        this.#link.send(encode(KIND.hello, 0, 0, JSON.stringify(hello)));
      });
    } catch (error) {
      this.#hasEnded = true;
      this.#link.close();
      throw error;
    } finally {
      this.#joining = null;
      clearTimeout(timer);
    }
  }

  connect(name: string, ranks: readonly number[]): Transport {
    if (ranks.length === 1) return new SoloTransport(this.rank);
    const group = ++this.#opened;
    const failure = () => this.#failure;
    const rounds = new RelayRounds(
      {
        send: (kind, body) => this.#send(encode(kind, group, 0, body)),
        get failure() {
          return failure();
        },
        hasLeft: (rank) => this.#gone.has(rank),
      },
      { name, ranks, member: ranks.indexOf(this.rank) },
    );
    const transport = new RoundsTransport({
      ...{ name, ranks, rank: this.rank, rounds, waiting: this.#waiting },
      // A round trip costs more than cutting an exchange into pieces saves.
      mostBlocks: 1,
      onClose: () => this.#groups.delete(group),
    });
    this.#groups.set(group, [rounds, transport]);
    this.#send(encode(KIND.open, group, 0, JSON.stringify({ name, ranks })));
    return transport;
  }

  /** Leaves the world; ranks that still wait for this one fail. */
  release(): void {
    if (this.#hasEnded) return;
    this.#send(encode(KIND.bye, 0, this.rank));
    this.#hasEnded = true;
    this.#link.close();
  }

  /** Ends the world, since this rank cannot go on: all ranks' collectives fail with `error`. */
  fail(error: unknown): void {
    const text = describeError(error);
    this.#send(encode(KIND.failed, 0, this.rank, text));
    this.#end(this.rank, `rank ${this.rank} failed: ${text}`);
  }

  #send(message: Uint8Array<ArrayBuffer>): void {
    if (!this.#hasEnded) this.#link.send(message);
  }

  #receive(data: unknown): void {
    if (this.#hasEnded) return;
    const message = decode(data);
    if (message === null) this.#lose('what came from the hub is no message of this version');
    else if (message.kind === KIND.welcome) this.#joining?.resolve();
    else if (message.kind === KIND.refused) this.#lose(`the relay refused it: ${textOf(message)}`);
    else if (message.kind === KIND.failed) this.#end(message.member, textOf(message));
    else if (message.kind === KIND.bye) this.#gone.add(message.member);
    else this.#pass(message);
    this.#bell.ring();
  }

  #pass(message: Message): void {
    // Messages that were under way may still come for a group that this rank has left.
    const group = this.#groups.get(message.group);
    if (group === undefined) return;
    const [rounds, transport] = group;
    rounds.receive(message);
    transport.advance();
  }

  /** The link is gone: nothing will come any more. */
  #lose(why: string): void {
    this.#joining?.reject(new Error(`relayWorld: rank ${this.rank}: ${why}`));
    this.#end(this.rank, `rank ${this.rank} lost its relay: ${why}`);
    this.#hasEnded = true;
    this.#bell.ring();
  }

  #end(rank: number, text: string): void {
    this.#failure ??= new RankFailedError(rank, text);
    this.#bell.ring();
  }
}

function check(options: RelayWorldOptions): void {
  checkOptionNames(options, ['rank', 'size', 'link', 'token', 'timeout'], 'relayWorld');
  const { rank, size, link, token, timeout } = options;
  checkInteger(rank, Number.NEGATIVE_INFINITY, 'relayWorld: rank');
  checkInteger(size, 1, 'relayWorld: size');
  if (rank < 0 || rank >= size) {
    throw new RangeError(`relayWorld: rank must be 0 to ${size - 1}, got ${rank}`);
  }
  if (!isLink(link)) {
    throw new TypeError(
      `relayWorld: link must be a portLink or a webSocketLink, got ${show(link)}`,
    );
  }
  if (token !== undefined) checkType(token, 'string', 'relayWorld: token');
  if (timeout !== undefined) checkTimeout('relayWorld', timeout);
}
