/** Rounds of one group whose frames go through a hub. */

import { CollectiveError, DeadlineError, type RankFailedError } from '../../core/errors.js';
import { lostError } from '../rounds/endings.js';
import { Frames, CARRIER_WORD as ROUND } from '../rounds/frames.js';
import type { Described, Fate, Rounds } from '../rounds/rounds.js';
import { HEADER_BYTES, slotBytes } from '../rounds/sizes.js';
import { frameCapacity, KIND, type Message, textOf } from './protocol.js';

/** The world of the rounds. */
export interface RelayHost {
  /** Sends a message about this group. */
  send(kind: number, body?: Uint8Array | string): void;
  /** Reason why the world has ended, or null. */
  readonly failure: RankFailedError | null;
  /** True if a world rank has left in peace. */
  hasLeft(rank: number): boolean;
}

export interface RelayMembers {
  readonly name: string;
  /** World ranks. */
  readonly ranks: readonly number[];
  readonly member: number;
}

export class RelayRounds implements Rounds, Fate {
  readonly frames: Frames;
  readonly parts = null;
  readonly fate = this;
  readonly #host: RelayHost;
  readonly #members: RelayMembers;
  /** Frames that have come for later rounds than this member's, by member. */
  readonly #inbox: Uint8Array[][];
  /** Set, by member, once the member's frame of this round is in its slot. */
  readonly #hasCome: boolean[];
  readonly #hasLeft: boolean[];
  #brokenBy: string | null = null;

  constructor(host: RelayHost, members: RelayMembers) {
    const { ranks, member } = members;
    const capacity = frameCapacity(ranks.length);
    const options = { member, members: ranks.length, capacity, slots: 1 } as const;
    const bytes = new Uint8Array(ranks.length * slotBytes(capacity));
    const memory = { bytes, words: new Int32Array(bytes.buffer), reduce: null };
    this.frames = new Frames(memory, options);
    this.#host = host;
    this.#members = members;
    this.#inbox = ranks.map(() => []);
    this.#hasCome = ranks.map(() => true);
    this.#hasLeft = ranks.map(() => false);
  }

  send(bytes: number): void {
    const { frames } = this;
    const { member } = frames;
    frames.turn();
    frames.words[frames.headerWord(member) + ROUND] = frames.round;
    this.#hasCome.fill(false);
    this.#hasCome[member] = true;
    this.#host.send(KIND.frame, frames.slot(member, HEADER_BYTES + bytes));
  }

  arrived(): boolean {
    const { members } = this.frames;
    for (let m = 0; m < members; m++) {
      if (!this.#hasCome[m] && !this.#take(m)) return false;
    }
    return true;
  }

  missing(): number[] {
    return this.#members.ranks.map((_, m) => m).filter((m) => !this.#isThere(m));
  }

  close(): void {
    this.#host.send(KIND.leave);
  }

  /** Takes a message about this group from the hub. */
  receive(message: Message): void {
    const { kind, member, body } = message;
    if (kind === KIND.frame) this.#inbox[member]?.push(body);
    else if (kind === KIND.leave) this.#hasLeft[member] = true;
    else if (kind === KIND.broken) this.#brokenBy ??= textOf(message);
  }

  lost(call: Described): Error | null {
    const { name, ranks, member } = this.#members;
    const own = { name, ranks, rank: ranks[member] };
    if (this.#host.failure !== null) return this.#host.failure;
    if (this.#brokenBy !== null) return new DeadlineError(this.#brokenBy);
    const gone = ranks.findIndex((rank, m) => this.#isGone(rank, m) && !this.#isThere(m));
    if (gone < 0) return null;
    return lostError(own, call, ranks[gone], 'left');
  }

  /** Circles are not looked for: their deadlines end them. */
  block(): void {}

  expect(): void {}

  /** Only the hub sees who waits for whom: all that are missing are named. */
  blame(missing: readonly number[]): readonly number[] {
    return missing;
  }

  queue(): void {}

  failedFor(): void {}

  fail(text: string): string {
    if (this.#brokenBy === null) {
      this.#brokenBy = text;
      this.#host.send(KIND.broken, text);
    }
    return this.#brokenBy;
  }

  #isGone(rank: number, member: number): boolean {
    return this.#hasLeft[member] || this.#host.hasLeft(rank);
  }

  #isThere(member: number): boolean {
    return this.#hasCome[member] || this.#inbox[member].length > 0;
  }

  /** Puts a member's next frame into its slot. @returns true if there is one */
  #take(member: number): boolean {
    const frame = this.#inbox[member].shift();
    if (frame === undefined) return false;
    const { frames } = this;
    const { length } = frame;
    const isWhole = length >= HEADER_BYTES && length <= HEADER_BYTES + frames.capacity;
    if (isWhole) frames.slot(member, length).set(frame);
    if (!isWhole || frames.words[frames.headerWord(member) + ROUND] !== frames.round) {
      const { name, ranks } = this.#members;
      throw new CollectiveError(
        `group '${name}': what came from rank ${ranks[member]} is not a frame of this round`,
      );
    }
    this.#hasCome[member] = true;
    return true;
  }
}
