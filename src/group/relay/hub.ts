/**
 * The meeting point of a relay world: passes frames on from each member of a group to the other
 * members. It runs anywhere that all ranks can reach: in a page, a worker, or a server.
 */

import { checkInteger, checkType } from '../../core/checks.js';
import { checkOptionNames } from '../../core/options.js';
import { HEADER_BYTES } from '../rounds/sizes.js';
import { type GroupSeat, HubGroups } from './hub-groups.js';
import {
  isLink,
  type Link,
  type PortLike,
  portLink,
  type SocketLike,
  webSocketLink,
} from './link.js';
import {
  decode,
  encode,
  frameCapacity,
  type Hello,
  isRank,
  KIND,
  LONGEST_MESSAGE,
  type Message,
  type Opening,
  objectOf,
  textOf,
} from './protocol.js';

export interface RelayHubOptions {
  /** Ranks of the world; an integer of 1 or more. */
  size: number;
  /** Secret that every rank must know. Default: '', which admits all who can reach the hub. */
  token?: string;
  /** Called when the world has failed, with the rank and the reason. */
  onFailure?: (rank: number, why: string) => void;
}

/** A link on this side, and its rank once it has been let in. */
interface Guest {
  readonly link: Link;
  rank: number;
  /** The rank's groups, by the numbers that it has given them. */
  readonly seats: Map<number, GroupSeat>;
}

/** Longest name of a group. */
const NAME_LENGTH = 1024;

export class RelayHub {
  /** Bytes of the longest message that a rank sends; a server may limit messages to this. */
  static readonly longestMessage = LONGEST_MESSAGE;
  readonly size: number;
  readonly #token: string;
  readonly #onFailure: (rank: number, why: string) => void;
  readonly #links = new Set<Link>();
  /** Ranks that are in; ranks that have left are null. */
  readonly #ranks = new Map<number, Guest | null>();
  readonly #groups = new HubGroups();
  #failure: { readonly rank: number; readonly text: string } | null = null;

  /** @throws TypeError for an option of the wrong type; RangeError for a size below 1 */
  constructor(options: RelayHubOptions) {
    checkOptionNames(options, ['size', 'token', 'onFailure'], 'RelayHub');
    const { size, token = '', onFailure = () => {} } = options;
    this.size = checkInteger(size, 1, 'RelayHub: size');
    this.#token = checkType(token, 'string', 'RelayHub: token');
    checkType(onFailure, 'function', 'RelayHub: onFailure');
    this.#onFailure = onFailure;
  }

  /** Reason why the world has ended, or null while it has not. */
  get failure(): string | null {
    return this.#failure?.text ?? null;
  }

  /**
   * Serves the other end of a port, a socket, or a link of another kind. A link that sends anything
   * but what a rank of this world would send is closed, and harms no one; if it was a rank by then,
   * the world fails by its name.
   */
  attach(end: Link | PortLike | SocketLike): void {
    const link = linkOf(end);
    const guest: Guest = { link, rank: -1, seats: new Map() };
    this.#links.add(link);
    link.listen({
      message: (data) => this.#receive(guest, data),
      closed: (why) => this.#closed(guest, why),
    });
  }

  /** Ends the world: every rank's collectives fail, and all links are closed. */
  close(): void {
    for (const link of this.#links) link.close();
    this.#links.clear();
    this.#ranks.clear();
  }

  #receive(guest: Guest, data: unknown): void {
    const message = decode(data);
    const error = message === null ? 'that is no message of a rank' : this.#take(guest, message);
    if (error !== null) this.#refuse(guest, error);
  }

  /** @returns the fault of the message, or null */
  #take(guest: Guest, message: Message): string | null {
    if (guest.rank < 0)
      return message.kind === KIND.hello ? this.#enter(guest, message) : 'no hello';
    if (this.#failure !== null) return null;
    if (message.kind === KIND.open) return this.#open(guest, message);
    if (message.kind === KIND.bye) return this.#leave(guest);
    if (message.kind === KIND.failed) {
      this.#fail(guest.rank, `rank ${guest.rank} failed: ${textOf(message)}`);
      return null;
    }
    const seat = guest.seats.get(message.group);
    if (seat === undefined) return 'it is in no group of that number';
    return this.#pass(guest, seat, message);
  }

  #enter(guest: Guest, message: Message): string | null {
    const { rank, size, token } = objectOf<Hello>(message) ?? {};
    if (!isSame(token, this.#token)) return 'its token is not that of this world';
    if (size !== this.size) return `the world has ${this.size} ranks, not ${String(size)}`;
    if (!isRank(rank, this.size)) return `ranks are 0 to ${this.size - 1}, not ${String(rank)}`;
    if (this.#failure !== null) return `the world has ended: ${this.#failure.text}`;
    if (this.#ranks.has(rank)) return `rank ${rank} is taken`;
    guest.rank = rank;
    this.#ranks.set(rank, guest);
    guest.link.send(encode(KIND.welcome, 0, rank));
    for (const [left, other] of this.#ranks) {
      if (other === null) guest.link.send(encode(KIND.bye, 0, left));
    }
    return null;
  }

  #open(guest: Guest, message: Message): string | null {
    const { name, ranks } = objectOf<Opening>(message) ?? {};
    const isNamed = typeof name === 'string' && name.length <= NAME_LENGTH;
    if (!isNamed || !Array.isArray(ranks)) return 'that is no group';
    const isListed = ranks.every((rank) => isRank(rank, this.size));
    if (!isListed || new Set(ranks).size !== ranks.length || !ranks.includes(guest.rank)) {
      return `group '${name}' cannot have these ranks`;
    }
    if (guest.seats.has(message.group)) return `group ${message.group} is open already`;
    const send = (kind: number, member: number, body?: Uint8Array | string) =>
      guest.link.send(encode(kind, message.group, member, body));
    const seat = this.#groups.open({ name, ranks }, ranks.indexOf(guest.rank), send);
    if (seat === null) return 'it has too many groups';
    guest.seats.set(message.group, seat);
    return null;
  }

  #pass(guest: Guest, seat: GroupSeat, message: Message): string | null {
    const { kind, group, body } = message;
    if (kind === KIND.frame) {
      const { length } = body;
      if (length < HEADER_BYTES || length > HEADER_BYTES + frameCapacity(seat.members)) {
        return `a frame of ${length} bytes is not of group ${group}`;
      }
      return seat.pass(body) ? null : 'it has sent frames of rounds that are not there yet';
    }
    if (kind === KIND.leave) {
      guest.seats.delete(group);
      seat.leave();
    } else if (kind === KIND.broken) {
      seat.break(textOf(message));
    } else {
      return `there is no message of kind ${kind}`;
    }
    return null;
  }

  /** The rank has left in peace: ranks that wait for it fail, and no others. */
  #leave(guest: Guest): null {
    this.#ranks.set(guest.rank, null);
    this.#links.delete(guest.link);
    this.#tell(encode(KIND.bye, 0, guest.rank));
    for (const seat of guest.seats.values()) seat.leave();
    guest.seats.clear();
    guest.link.close();
    return null;
  }

  #refuse(guest: Guest, why: string): void {
    guest.link.send(encode(KIND.refused, 0, 0, why));
    guest.link.close();
    this.#closed(guest, `the relay refused it: ${why}`);
  }

  #closed(guest: Guest, why: string): void {
    if (!this.#links.delete(guest.link)) return;
    const { rank } = guest;
    if (rank < 0 || this.#ranks.get(rank) !== guest) return;
    this.#ranks.set(rank, null);
    this.#fail(rank, `rank ${rank} failed: ${why}`);
  }

  #fail(rank: number, text: string): void {
    if (this.#failure !== null) return;
    this.#failure = { rank, text };
    this.#tell(encode(KIND.failed, 0, rank, text));
    this.#onFailure(rank, text);
  }

  #tell(message: Uint8Array<ArrayBuffer>): void {
    for (const guest of this.#ranks.values()) guest?.link.send(message.slice());
  }
}

function linkOf(end: Link | PortLike | SocketLike): Link {
  if (isLink(end)) return end;
  const isPort = typeof (end as Partial<PortLike> | null)?.postMessage === 'function';
  return isPort
    ? portLink(end as PortLike, 'RelayHub')
    : webSocketLink(end as SocketLike, 'RelayHub');
}

/** Takes the same time wherever the tokens differ, so that nobody finds a token out bit by bit. */
function isSame(given: unknown, token: string): boolean {
  if (typeof given !== 'string') return false;
  let difference = given.length ^ token.length;
  for (let i = 0; i < token.length; i++) difference |= given.charCodeAt(i) ^ token.charCodeAt(i);
  return difference === 0;
}
