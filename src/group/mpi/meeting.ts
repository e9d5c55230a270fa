/**
 * The meeting of a group's members. Each tells all other members that it makes the group, and goes
 * on; the first collective waits until all have done so, and a member that is late is a matter of
 * that collective's deadline.
 *
 * If all members are on one host, the first one offers memory, and they tell one another whether
 * they could open it. Nothing but time depends on it: messages of MPI go everywhere.
 */

import { MismatchError } from '../../core/errors.js';
import { hashLabel } from '../fingerprint.js';
import type { Membership } from '../rounds/disagreement.js';
import type { Connection, Rounds } from '../rounds/rounds.js';
import { SharedRounds } from '../rounds/shared-rounds.js';
import { type CapacityLimits, capacityFor, sharedBytes } from '../rounds/sizes.js';
import { type Hosted, MpiFate } from './fate.js';
import type { NativeFrameMemory } from './frame-memory.js';
import type { Mpi } from './library/library.js';
import type { Guest, Host, Lobby } from './lobby.js';
import { MessageRounds } from './messages/message-rounds.js';
import { tagOf } from './messages/persistent.js';
import { ALIVE, type Telling } from './notices.js';
import { makeWindow, openWindow, TICKET_WORDS, type WindowFile } from './window.js';

const IN_MESSAGES: CapacityLimits = { most: 1 << 16, least: 1 << 14, all: 1 << 20 };
/**
 * Memory that nobody has touched costs nothing. Measured, two ranks: sums of 64 KiB and more take
 * half as long in a window as in chunks of messages, up to the window's capacity.
 */
const IN_WINDOW: CapacityLimits = { most: 1 << 20, least: 1 << 14, all: 1 << 23 };

/** The world that groups are made in. */
export interface Place {
  readonly mpi: Mpi;
  /** Communicator of all ranks. */
  readonly comm: number;
  readonly rank: number;
  readonly hostRanks: readonly number[];
  readonly lobby: Lobby;
}

export class Meeting implements Connection, Host, Hosted {
  readonly name: string;
  readonly nameHash: number;
  readonly ranks: readonly number[];
  readonly rank: number;
  readonly peers: readonly number[];
  readonly guests = new Map<number, Guest>();
  readonly fate: MpiFate;
  readonly #place: Place;
  /** This rank's number of the group, which gives the tags of all that other members send it. */
  readonly #number: number;
  readonly #isOnOneHost: boolean;
  /** Hash of the name and the members. */
  readonly #key: number;
  /** File that this rank offers to share, if it is the first member. */
  readonly #file: WindowFile | null;
  /** The memory that this rank could open; undefined: it has not tried. */
  #memory: NativeFrameMemory | null | undefined;
  #rounds: Rounds | null = null;
  #hasLeft = false;
  /** Set once the group is closed and MPI does nothing for it any more. */
  #isIdle = false;

  constructor(place: Place, name: string, ranks: readonly number[]) {
    const { rank, hostRanks, lobby } = place;
    this.#place = place;
    this.name = name;
    this.nameHash = hashLabel(name);
    this.ranks = ranks;
    this.rank = rank;
    this.peers = ranks.filter((other) => other !== rank);
    this.fate = new MpiFate(this, lobby);
    this.#number = lobby.number();
    this.#key = hashLabel(JSON.stringify([name, ranks]));
    this.#isOnOneHost = ranks.every((other) => hostRanks.includes(other));
    const isHost = this.#isOnOneHost && ranks[0] === rank;
    this.#file = isHost ? attempt(() => makeWindow(place.mpi.koffi, this.#bytes)) : null;
    const ticket = this.#file?.ticket ?? new Int32Array(TICKET_WORDS);
    this.#tell('make', [this.nameHash, this.#key, ...ticket], describe(this));
    lobby.open(this);
  }

  get round(): number {
    return this.#rounds?.frames.round ?? 1;
  }

  welcome(guest: Guest): void {
    this.guests.set(guest.made.sender, guest);
  }

  /** @throws MismatchError as soon as another member wants the group to have other ranks */
  connect(): Rounds | null {
    const guests = [...this.guests.values()];
    const odd = guests.find(({ made }) => made.numbers[1] !== this.#key);
    if (odd !== undefined) throw this.#mismatch(odd);
    if (guests.length < this.peers.length) return null;
    if (!this.#isOnOneHost) return this.#begin(null);
    if (this.#memory === undefined) this.#share();
    if (guests.some(({ shares }) => shares === null)) return null;
    this.#file?.close();
    const isShared = this.#memory !== null && guests.every(({ shares }) => shares);
    if (!isShared) this.#memory?.free();
    return this.#begin(isShared ? (this.#memory as NativeFrameMemory) : null);
  }

  missing(): number[] {
    const isComing = (rank: number) => {
      const guest = this.guests.get(rank);
      return guest === undefined || (guest.shares === null && this.#memory !== undefined);
    };
    return this.peers.filter(isComing).map((rank) => this.ranks.indexOf(rank));
  }

  waitsFor(): number[] {
    return (this.#rounds ?? this).missing().map((member) => this.ranks[member]);
  }

  tellBroken(text: string): void {
    this.#tell('broken', [], text);
  }

  /** Tells the other members, once, that this one takes no further part. */
  leave(exitCode = ALIVE, text = ''): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#tell('leave', [this.#rounds?.frames.round ?? 0, exitCode], text);
  }

  close(): void {
    this.#end(true);
    this.#file?.close();
    (this.#memory ?? this.#file?.memory)?.free();
  }

  /** The number, once no frame of the group is or will be on its way to this rank; else null. */
  get freeNumber(): number | null {
    const { round, guests } = this;
    const isOver = ({ left }: Guest) => left !== null && ((left.rounds - round) | 0) <= 0;
    const isFree = this.#isIdle && guests.size === this.peers.length;
    return isFree && [...guests.values()].every(isOver) ? this.#number : null;
  }

  get #bytes(): number {
    const { length } = this.ranks;
    return sharedBytes(length, capacityFor(IN_WINDOW, length));
  }

  #tell(kind: Telling['kind'], numbers: readonly number[], text = ''): void {
    const { lobby } = this.#place;
    lobby.tell(this.peers, { kind, group: this.#number, numbers, text });
  }

  #mismatch({ made }: Guest): MismatchError {
    const groups = [
      { rank: made.sender, text: made.text },
      { rank: this.rank, text: describe(this) },
    ];
    const [first, odd] = groups.sort((a, b) => a.rank - b.rank);
    return new MismatchError(
      `createGroup: ranks disagree: rank ${odd.rank} makes group ${odd.text}, ` +
        `rank ${first.rank} group ${first.text}`,
    );
  }

  /** Opens the memory, and tells the other members if it could. */
  #share(): void {
    const { koffi } = this.#place.mpi;
    const first = this.guests.get(this.ranks[0]);
    const ticket = Int32Array.from(first?.made.numbers.slice(2) ?? []);
    const opened = () => openWindow(koffi, ticket, this.#bytes);
    this.#memory = first === undefined ? (this.#file?.memory ?? null) : attempt(opened);
    this.#tell('share', [this.#memory === null ? 0 : 1]);
  }

  /** @param memory of all members; null: there is none */
  #begin(memory: NativeFrameMemory | null): Rounds {
    const { mpi, comm } = this.#place;
    const { ranks, rank } = this;
    const place = { member: ranks.indexOf(rank), members: ranks.length };
    if (memory === null) {
      const sendTags = ranks.map((other) => tagOf(this.guests.get(other)?.made.group ?? 0));
      const channel = { comm, ranks, sendTags, receiveTag: tagOf(this.#number), ...place };
      const capacity = capacityFor(IN_MESSAGES, ranks.length);
      this.#rounds = new MessageRounds(mpi, channel, capacity, (isIdle) => this.#end(isIdle));
    } else {
      const capacity = capacityFor(IN_WINDOW, ranks.length);
      const options = { ...place, capacity };
      this.#rounds = new SharedRounds(memory, options, () => {
        this.#end(true);
        memory.free();
      });
    }
    return this.#rounds;
  }

  #end(isIdle: boolean): void {
    this.leave();
    this.#isIdle = isIdle;
  }
}

/** "'odd' of ranks 2, 1, 0" */
function describe({ name, ranks }: Membership): string {
  return `'${name}' of ranks ${ranks.join(', ')}`;
}

/** Null for any error: old systems and guarded containers have many. Messages always work. */
function attempt<T>(share: () => T): T | null {
  if (process.env.SYNCBN_MPI_FRAMES === 'messages') return null;
  try {
    return share();
  } catch {
    return null;
  }
}
