/**
 * The collectives of one group, whatever carries its frames. Each begins with one round, in which
 * every member's header reaches all others: members that disagree find out in the same words, and
 * nothing is left half sent. Short data travels in the same frames; algorithms.ts has the rest.
 */

import {
  CollectiveError,
  DeadlineError,
  MismatchError,
  RankFailedError,
} from '../../core/errors.js';
import type { Collective, Transport } from '../transport.js';
import {
  Exchange,
  gatherAll,
  gatherSum,
  inPieces,
  type Route,
  routeOf,
  takeWhole,
} from './algorithms.js';
import { disagree, findLeaver, leftError, type Membership } from './disagreement.js';
import {
  BROKEN,
  DESTROYED,
  type Departure,
  departure,
  type FrameCall,
  findOdd,
  lengthsOf,
} from './header.js';
import { recorder } from './recorder.js';
import type { Described, Rounds } from './rounds.js';
import { sendFirst, sendNext } from './sending.js';
import type { Waiting } from './waiting.js';
import { type Host, RoundsWork } from './work.js';

/** Why no collective can run any more, for one that asks. */
type Reason = (call: Described) => Error;

export interface GroupOptions extends Membership {
  readonly waiting: Waiting;
  readonly mostBlocks: number;
  /** Called when a member has left with an error. */
  onFailure?(worldRank: number): void;
  /** Called once, when nothing of the group is under way any more, or `clean` is false. */
  onClose?(clean: boolean): void;
}

export class RoundsTransport implements Transport, Host {
  readonly mostBlocks: number;
  readonly waiting: Waiting;
  readonly #group: GroupOptions;
  readonly #rounds: Rounds;
  readonly #queue: RoundsWork[] = [];
  /** What follows the first round; null while that is under way. */
  #script: Iterator<void> | null = null;
  #calls = 0;
  /** Why no collective can run any more; null while they can. */
  #reason: Reason | null = null;
  /** Whether the round under way is of a collective that this rank has given up. */
  #skips = false;
  #isClosed = false;
  #isStopped = false;

  constructor(group: GroupOptions) {
    this.#group = group;
    this.mostBlocks = group.mostBlocks;
    this.waiting = group.waiting;
    this.#rounds = group.rounds;
    this.waiting.add(this);
  }

  get mayBlock(): boolean {
    return this.waiting.mayBlock;
  }

  /** Whether no collective can run any more. */
  get ended(): boolean {
    return this.#reason !== null;
  }

  start(call: Collective): RoundsWork {
    return this.#enqueue(call, call.input.length, routeOf(this.#rounds, call));
  }

  /** Ends this rank's part in the group; the others' next collective fails, or ends as theirs. */
  leave(departure: Departure): RoundsWork {
    return this.#enqueue(departure, 0, 'none');
  }

  advance(): void {
    try {
      while (this.#queue.length > 0 && this.#rounds.arrived()) this.#step(this.#queue[0]);
    } catch (error) {
      // What carries the group has failed itself.
      this.#end(() => error as Error);
      this.#stop(false);
    }
  }

  block(work: RoundsWork, isBlocked: boolean): void {
    this.#rounds.fate?.block(isBlocked ? work.number : 0);
    recorder.wait(work.recorded, isBlocked);
  }

  expect(work: RoundsWork | null): void {
    this.#rounds.fate?.expect(work?.number ?? 0);
  }

  check(work: RoundsWork, waited: number): void {
    const { fate } = this.#rounds;
    recorder.look();
    const lost = fate?.lost(this.#queue[0], waited) ?? null;
    if (lost !== null) {
      recorder.dump(lost.message);
      this.#end((call) => fate?.lost(call, 0) ?? lost);
    } else if (waited > work.timeout) this.#expire(work);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const error = new CollectiveError(`group '${this.#group.name}' was destroyed`);
    if (this.#rounds.fate === null) this.#quit(() => error, DESTROYED, '');
    else this.#end(() => error);
    if (this.#rounds.fate !== null) this.#stop(true);
  }

  /** Ends the group where all members do so at once, and nobody needs to be told. */
  dismiss(): void {
    const isClean = this.#reason === null && this.#queue.length === 0;
    this.#end(() => new CollectiveError(`group '${this.#group.name}' was destroyed`));
    this.#stop(isClean);
  }

  /** Ends the group with the world: nothing is freed, since nothing is left to free it with. */
  abandon(): void {
    const error = new CollectiveError(`group '${this.#group.name}' has ended: its world was left`);
    this.#end(() => error);
    this.#isStopped = true;
    this.waiting.remove(this);
  }

  #enqueue(call: FrameCall, count: number, route: Route): RoundsWork {
    const work = new RoundsWork(this, call, ++this.#calls, count, route);
    const label = call.kind === 'leave' ? '' : call.label;
    work.recorded = recorder.start(this.#group.name, work.number, call.kind, count, label);
    const { fate } = this.#rounds;
    const error = this.#reason?.(work) ?? fate?.lost(work, 0) ?? null;
    if (error !== null) {
      work.fail(error);
    } else if (this.#queue.push(work) === 1) {
      this.#begin(work);
    } else {
      fate?.queue(work.number);
      // Those before it may be over by now, and then the others need not wait for this one.
      this.advance();
    }
    return work;
  }

  #begin(work: RoundsWork): void {
    this.#script = null;
    sendFirst(this.#rounds, work);
  }

  /** Goes on with the first work after what was under way for it has arrived. */
  #step(work: RoundsWork): void {
    if (this.#skips) {
      this.#skips = false;
      if (findLeaver(this.#group) === null) this.#begin(work);
      else this.#stop(true);
      return;
    }
    try {
      this.#script ??= this.#afterHeaders(work);
      if (this.#script?.next().done === false) return;
    } catch (error) {
      if (isFatal(error)) throw error;
      // All members throw the same, or this one's result has found no place: the group goes on.
      // To leave after others have left is the end of a program.
      if (work.call.kind !== 'leave') recorder.dump((error as Error).message);
      work.fail(error as Error);
    }
    this.#next(work);
  }

  #next(work: RoundsWork): void {
    work.finish();
    this.#queue.shift();
    if (this.#queue.length > 0) this.#begin(this.#queue[0]);
  }

  /** @returns what is left to do, or null when the collective is over */
  #afterHeaders(work: RoundsWork): Iterator<void> | null {
    recorder.arrive(work.recorded);
    const odd = findOdd(this.#rounds.frames);
    if (odd >= 0) return this.#disagree(work, odd);
    const { route } = work;
    const call = work.call as Collective;
    if (route === 'whole') takeWhole(this.#rounds, call, { from: 0, to: work.count });
    if (route === 'whole' || route === 'none') return null;
    return this.#run(work, call);
  }

  *#run(work: RoundsWork, call: Collective): Generator<void> {
    const rounds = this.#rounds;
    const { parts } = rounds;
    const exchange = new Exchange(rounds, call, work.count, (send) => this.#round(work, send));
    if (call.kind === 'gatherAll') {
      yield* gatherAll(exchange, lengthsOf(rounds.frames));
    } else if (work.route === 'parts' && parts !== null) {
      yield* gatherSum(exchange, parts, { from: 0, to: work.count });
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

  /** Throws what it comes to that the header of member `odd` stands out. */
  *#disagree(work: RoundsWork, odd: number): Generator<void> {
    const left = findLeaver(this.#group);
    if (left === null) {
      yield* disagree(this.#group, work.describe(), odd);
      return;
    }
    if (work.call.kind === 'leave') work.finish();
    if (left.manner > 0) this.#group.onFailure?.(left.rank);
    const reason = (call: Described) => leftError(left, call.describe(), this.#group);
    // Every member has seen it, so none sends anything more.
    this.#end(reason);
    this.#stop(true);
    throw reason(work);
  }

  #expire(work: RoundsWork): void {
    const { name, ranks } = this.#group;
    const [head] = this.#queue;
    const { fate } = this.#rounds;
    const missing = this.#rounds.missing().map((member) => ranks[member]);
    const whom = describeMissing(missing, fate?.blame(missing) ?? missing);
    const behind = head === work ? '' : `, behind ${head.describe()},`;
    const text =
      `rank ${ranks[this.#rounds.frames.member]} waited ${work.timeout / 1000} s in ` +
      `${work.describe()} in group '${name}'${behind} for ${whom}`;
    const error = new DeadlineError(fate?.fail(text) ?? text);
    recorder.dump(error.message);
    if (fate === null) this.#quit(() => error, BROKEN, text);
    else this.#end(() => error);
  }

  /** Takes part no more, and lets the other members know in a last frame. */
  #quit(reason: Reason, manner: number, message: string): void {
    const isOver = this.#reason !== null;
    const isIdle = this.#queue.length === 0;
    this.#end(reason);
    if (isOver) return;
    const goodbye = new RoundsWork(this, departure(manner, message), ++this.#calls, 0, 'none');
    goodbye.recorded = recorder.start(this.#group.name, goodbye.number, 'leave', 0, '');
    this.#queue.push(goodbye);
    this.#skips = !isIdle;
    if (isIdle) this.#begin(goodbye);
  }

  /** Fails everything under way, and all that is still to come. */
  #end(reason: Reason): void {
    const works = this.#queue.splice(0);
    // The goodbye of a group that has ended already is still under way.
    if (this.#reason !== null) this.#queue.push(...works);
    else for (const work of works) work.fail(reason(work));
    this.#reason = reason;
  }

  /** @param clean whether nothing is under way; else what carries the group may still write to it */
  #stop(clean: boolean): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#queue.length = 0;
    this.waiting.remove(this);
    if (clean) this.#rounds.close();
    this.#group.onClose?.(clean);
  }
}

/** 'rank 3', or 'rank 3, for which rank 0, 4 wait' */
function describeMissing(missing: readonly number[], blamed: readonly number[]): string {
  if (missing.length === 0) return 'data';
  const between = missing.filter((rank) => !blamed.includes(rank));
  const chain =
    between.length === 0
      ? ''
      : `, for which rank ${between.join(', ')} ${between.length === 1 ? 'waits' : 'wait'}`;
  return `rank ${blamed.join(', ')}${chain}`;
}

/** Whether an error ends the group, as those of what carries it do. */
function isFatal(error: unknown): boolean {
  const agreed =
    error instanceof MismatchError ||
    error instanceof RankFailedError ||
    error instanceof DeadlineError;
  return error instanceof CollectiveError && !agreed;
}
