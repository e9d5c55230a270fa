/**
 * The collectives of one group, over any carrier. Each begins with one round, in which every
 * member's header reaches all others: members that disagree find out in the same words, and nothing
 * is left half sent. Short data travels in the same frames; algorithms.ts has the rest.
 */

import { CollectiveError } from '../../core/errors.js';
import type { Collective, Transport } from '../transport.js';
import { CollectiveExchange, gatherAll, inPieces, routeOf, takeWhole } from './algorithms.js';
import { disagree, type Membership } from './disagreement.js';
import { deadlineError, isFatal } from './endings.js';
import { findOdd, lengthsOf } from './header.js';
import { exchangeList } from './lists.js';
import { recorder } from './recorder.js';
import type { Connection, Described, Fate, Rounds } from './rounds.js';
import { sendFirst, sendNext } from './sending.js';
import type { Waiting } from './waiting.js';
import { type Host, RoundsWork } from './work.js';

/** Makes the error of a call, with the reason why no collective can run any more. */
type Reason = (call: Described) => Error;

export interface GroupOptions extends Membership {
  /** The carrier of the frames, or how the members meet first. */
  readonly rounds: Rounds | Connection;
  readonly waiting: Waiting;
  readonly mostBlocks: number;
  /** Called once, when the group is closed. */
  onClose?(): void;
}

export class RoundsTransport implements Transport, Host {
  readonly mostBlocks: number;
  readonly waiting: Waiting;
  readonly #group: GroupOptions;
  readonly #fate: Fate | null;
  /** The collective under way; further ones are queued behind it. */
  #head: RoundsWork | null = null;
  #last: RoundsWork | null = null;
  /** Set once the members have met. */
  #rounds!: Rounds;
  /** Null once the members have met. */
  #connection: Connection | null = null;
  /** The steps after the first round; null while that round is under way. */
  #script: Iterator<void> | null = null;
  #calls = 0;
  /** Reason why no collective can run any more; null while they can. */
  #reason: Reason | null = null;
  #isClosed = false;

  constructor(group: GroupOptions) {
    this.#group = group;
    this.mostBlocks = group.mostBlocks;
    this.waiting = group.waiting;
    this.#fate = group.rounds.fate;
    if ('connect' in group.rounds) this.#connection = group.rounds;
    else this.#rounds = group.rounds;
    this.waiting.add(this);
  }

  get mayBlock(): boolean {
    return this.waiting.mayBlock;
  }

  start(call: Collective): RoundsWork {
    const { kind, label, input, list } = call;
    const number = ++this.#calls;
    const count = list?.count ?? input.length;
    const recorded = recorder.start(this.#group.name, number, kind, count, label);
    const work = new RoundsWork(this, call, number, count, recorded);
    const error = this.#reason?.(work) ?? this.#fate?.lost(work, 0) ?? null;
    if (error !== null) {
      work.fail(error);
    } else if (this.#head === null && this.#connection === null) {
      this.#head = work;
      this.#last = work;
      this.#begin(work);
    } else {
      this.#queue(work);
    }
    return work;
  }

  advance(): void {
    try {
      if (this.#connection !== null && !this.#connect(this.#connection)) return;
      while (this.#head !== null && this.#rounds.arrived()) this.#step(this.#head);
    } catch (error) {
      // The carrier has failed, or the members want different groups.
      this.#end(() => error as Error);
    }
  }

  block(work: RoundsWork, isBlocked: boolean): void {
    this.#fate?.block(isBlocked ? work.number : 0);
    recorder.wait(work.recorded, isBlocked);
  }

  expect(work: RoundsWork | null): void {
    this.#fate?.expect(work?.number ?? 0);
  }

  check(work: RoundsWork, waited: number): void {
    const fate = this.#fate;
    recorder.look();
    const lost = fate?.lost(this.#head ?? work, waited) ?? null;
    if (lost !== null) {
      recorder.dump(lost.message);
      this.#end((call) => fate?.lost(call, 0) ?? lost);
    } else if (waited > work.timeout) this.#expire(work);
  }

  /** @param how the group ended, for collectives that are under way or still to come */
  close(how = 'was destroyed'): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#end(() => new CollectiveError(`group '${this.#group.name}' ${how}`));
    this.waiting.remove(this);
    (this.#connection ?? this.#rounds).close();
    this.#group.onClose?.();
  }

  /** @returns true if the members have met */
  #connect(connection: Connection): boolean {
    if (this.#reason !== null) return false;
    const rounds = connection.connect();
    if (rounds === null) return false;
    this.#rounds = rounds;
    this.#connection = null;
    if (this.#head !== null) this.#begin(this.#head);
    return true;
  }

  #queue(work: RoundsWork): void {
    if (this.#last === null) this.#head = work;
    else this.#last.next = work;
    this.#last = work;
    this.#fate?.queue(work.number);
    // If earlier collectives are over by now, the other members need not wait for this one.
    this.advance();
  }

  #begin(work: RoundsWork): void {
    this.#script = null;
    work.route = routeOf(this.#rounds, work.call);
    sendFirst(this.#rounds, work);
  }

  /** Goes on with the first work after its round has arrived. */
  #step(work: RoundsWork): void {
    work.steps++;
    try {
      this.#script ??= this.#afterHeaders(work);
      if (this.#script?.next().done === false) return;
    } catch (error) {
      if (isFatal(error)) throw error;
      // All members throw the same, or this result alone found no place: the group goes on.
      recorder.dump((error as Error).message);
      work.fail(error as Error);
    }
    work.finish();
    const { next } = work;
    work.next = null;
    this.#head = next;
    if (next === null) this.#last = null;
    else this.#begin(next);
  }

  /** @returns the remaining steps, or null if the collective is over */
  #afterHeaders(work: RoundsWork): Iterator<void> | null {
    const odd = findOdd(this.#rounds.frames);
    if (odd >= 0) return this.#disagree(work, odd);
    const { route } = work;
    if (route === 'whole') takeWhole(this.#rounds, work.call, { from: 0, to: work.count });
    if (route === 'whole' || route === 'none') return null;
    return this.#run(work);
  }

  *#run(work: RoundsWork): Generator<void> {
    recorder.arrive(work.recorded);
    const rounds = this.#rounds;
    const { parts } = rounds;
    const { call, count } = work;
    const exchange = new CollectiveExchange(rounds, call, count, (send) => this.#round(work, send));
    if (work.route === 'pieces') exchange.keepInput();
    if (parts !== null && work.route === 'parts') {
      yield* parts.finish(exchange);
    } else if (parts !== null && call.kind === 'allReduce') {
      yield* parts.combine(exchange);
    } else if (call.list != null) {
      yield* exchangeList(exchange);
    } else if (call.kind === 'gatherAll') {
      yield* gatherAll(exchange, lengthsOf(rounds.frames));
    } else {
      yield* inPieces(exchange);
    }
    exchange.end();
  }

  *#round(work: RoundsWork, send: () => void): Generator<void> {
    sendNext(this.#rounds, work, send);
    yield;
    const odd = findOdd(this.#rounds.frames);
    if (odd >= 0) yield* this.#disagree(work, odd);
  }

  #disagree(work: RoundsWork, odd: number): Generator<void> {
    this.#fate?.failedFor(this.#group.ranks[odd]);
    return disagree(this.#group, this.#rounds, work.describe(), odd);
  }

  #expire(work: RoundsWork): void {
    const { ranks } = this.#group;
    const fate = this.#fate;
    const missing = (this.#connection ?? this.#rounds).missing().map((member) => ranks[member]);
    const blamed = fate?.blame(missing) ?? missing;
    // Finding the ranks to blame may take a while, and the missing frames may come meanwhile.
    if (work.settled) return;
    const error = deadlineError(this.#group, work, this.#head ?? work, missing, blamed, fate);
    recorder.dump(error.message);
    this.#end(() => error);
  }

  /** Fails all collectives under way, and all that are still to come. */
  #end(reason: Reason): void {
    this.#reason = reason;
    let work = this.#head;
    this.#head = null;
    this.#last = null;
    for (; work !== null; work = work.next) work.fail(reason(work));
  }
}
