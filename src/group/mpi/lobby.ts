/**
 * A rank's knowledge from the notices of other ranks: who makes which group, who has left, and who
 * waits for whom. Members find one another by the group's name: the first group of that name that a
 * member makes with this rank is this rank's first, and so on. So ranks may make groups in any
 * order, and a rank that gave up and tries again meets the next try of the other members.
 */

import type { Progress, Waiting } from '../rounds/waiting.js';
import type { Mpi } from './library/library.js';
import { ALIVE, type Notice, Notices, type Telling } from './notices.js';

/** A rank's leave of a group or of the world. */
export interface Departure {
  /** Rounds of the group that the rank has sent its frames for. */
  readonly rounds: number;
  /** Exit code; {@link ALIVE}: the rank has destroyed the group, or left the world. */
  readonly exitCode: number;
  /** Reason, if the rank failed. */
  readonly text: string;
  /** Counts departures in the order in which they became known. */
  readonly order: number;
}

/** Another member of a group, as its notices describe it. */
export interface Guest {
  /** Its 'make'. */
  readonly made: Notice;
  /** Tells if the member could open the group's memory; null: it has not said. */
  shares: boolean | null;
  left: Departure | null;
  /** Reason why no collective of the group can run any more; null: they can. */
  broken: string | null;
}

/** A group of this rank, as the lobby sees it. */
export interface Host {
  /** World ranks of the other members. */
  readonly peers: readonly number[];
  readonly nameHash: number;
  /** Another member has made the group. */
  welcome(guest: Guest): void;
  /** This rank's number of the group if another group may have it from now on; else null. */
  readonly freeNumber: number | null;
}

/** Something that this rank may wait in. */
export interface Waiter {
  /** World ranks that it waits for. */
  waitsFor(): number[];
}

/** Milliseconds in which a rank that waits answers; a rank that does not answer stands still. */
const ANSWER_MS = 500;

export class Lobby implements Progress {
  /** Counts events that may end a wait. */
  alarms = 0;
  /** World ranks that take part in the world no more. */
  readonly gone = new Map<number, Departure>();
  /** The numbers of the other ranks' hellos. */
  readonly hellos = new Map<number, readonly number[]>();
  /** World rank whose failure this rank has learnt of, or -1. */
  failedRank = -1;
  /** Something that this rank blocks in; and something that it awaits. */
  blocked: Waiter | null = null;
  awaited: Waiter | null = null;
  readonly #notices: Notices;
  readonly #waiting: Waiting;
  /** By sender and its number of the group. */
  readonly #guests = new Map<string, Guest>();
  /** By sender and name: groups that wait for a guest, and guests that wait for the group. */
  readonly #hosts = new Map<string, Host[]>();
  readonly #early = new Map<string, Guest[]>();
  /** Answers to the last question, by sender. */
  readonly #answers = new Map<number, readonly number[]>();
  #questions = 0;
  /** Groups in use, and groups whose number cannot be another's yet; looked at in turn. */
  readonly #numbered: Host[] = [];
  #numbers = 0;

  constructor(mpi: Mpi, comm: number, rank: number, waiting: Waiting) {
    this.#notices = new Notices(mpi, comm, rank, (notice) => this.#take(notice));
    this.#waiting = waiting;
    waiting.add(this);
  }

  /** True when all notices have left this process. */
  get isIdle(): boolean {
    return this.#notices.isIdle;
  }

  tell(peers: readonly number[], notice: Telling): void {
    this.#notices.send(peers, notice);
  }

  advance(): void {
    this.#notices.advance();
  }

  /** Returns this rank's number of a new group: 1 or more. Tags are many, but not endless. */
  number(): number {
    const oldest = this.#numbered[0];
    const free = oldest?.freeNumber ?? null;
    if (oldest !== undefined) this.#numbered.shift();
    if (oldest !== undefined && free === null) this.#numbered.push(oldest);
    return free ?? ++this.#numbers;
  }

  /** Lets the group meet its members. */
  open(host: Host): void {
    this.#numbered.push(host);
    for (const peer of host.peers) {
      const key = `${peer} ${host.nameHash}`;
      const early = take(this.#early, key);
      if (early === null) put(this.#hosts, key, host);
      else host.welcome(early);
    }
  }

  /**
   * Finds the ranks that stand still, among `missing` and all ranks that these wait for: a rank
   * that answers waits itself. Returns `missing` if all wait in a circle.
   */
  blame(asking: number, missing: readonly number[]): readonly number[] {
    const seen = new Set([asking, ...missing]);
    const found: number[] = [];
    for (let level = [...missing]; level.length > 0; ) {
      const answers = this.#ask(level);
      found.push(...level.filter((rank) => (answers.get(rank)?.length ?? 0) === 0));
      level = [...answers.values()].flat().filter((rank) => {
        const isNew = !seen.has(rank);
        seen.add(rank);
        return isNew;
      });
    }
    return found.length === 0 ? missing : found.sort((a, b) => a - b);
  }

  #ask(ranks: readonly number[]): ReadonlyMap<number, readonly number[]> {
    this.#answers.clear();
    this.tell(ranks, { kind: 'ask', numbers: [++this.#questions] });
    const hasAnswered = (rank: number) => this.#answers.has(rank) || this.gone.has(rank);
    this.#waiting.blockUntil(() => ranks.every(hasAnswered), ANSWER_MS);
    return new Map(this.#answers);
  }

  #take(notice: Notice): void {
    const { kind, sender, group, numbers, text } = notice;
    if (kind === 'hello') this.hellos.set(sender, numbers);
    else if (kind === 'make') this.#welcome(notice);
    else if (kind === 'ask') {
      const ranks = (this.blocked ?? this.awaited)?.waitsFor() ?? [];
      this.tell([sender], { kind: 'answer', numbers: [numbers[0], ...ranks] });
    } else if (kind === 'answer') {
      if (numbers[0] === this.#questions) this.#answers.set(sender, numbers.slice(1));
    } else if (kind === 'gone') {
      this.#raise(sender, numbers[0]);
      this.gone.set(sender, { rounds: 0, exitCode: numbers[0], text, order: this.alarms });
    } else {
      const guest = this.#guests.get(`${sender} ${group}`);
      if (guest !== undefined) this.#hear(guest, notice);
    }
  }

  #hear(guest: Guest, { kind, sender, numbers, text }: Notice): void {
    if (kind === 'share') {
      guest.shares = numbers[0] === 1;
    } else if (kind === 'leave') {
      this.#raise(sender, numbers[1]);
      guest.left = { rounds: numbers[0], exitCode: numbers[1], text, order: this.alarms };
    } else {
      guest.broken = text;
      this.#raise(sender, ALIVE);
    }
  }

  #raise(sender: number, exitCode: number): void {
    this.alarms++;
    if (exitCode > 0) this.failedRank = sender;
  }

  #welcome(made: Notice): void {
    const guest: Guest = { made, shares: null, left: null, broken: null };
    this.#guests.set(`${made.sender} ${made.group}`, guest);
    const key = `${made.sender} ${made.numbers[0]}`;
    const host = take(this.#hosts, key);
    if (host === null) put(this.#early, key, guest);
    else host.welcome(guest);
  }
}

function put<T>(lists: Map<string, T[]>, key: string, value: T): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}

/** Takes the first of a list, or null. */
function take<T>(lists: Map<string, T[]>, key: string): T | null {
  const list = lists.get(key);
  if (list === undefined) return null;
  if (list.length === 1) lists.delete(key);
  return list.shift() as T;
}
