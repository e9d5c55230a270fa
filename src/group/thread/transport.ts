/**
 * Collectives of one group of threads. A rank publishes a step's data and descriptor in its slot,
 * then counts its `arrived` word up; when all members' words have reached the step, it compares
 * the descriptors and absorbs the data. Nobody waits for a leader, and nobody waits twice.
 */

import { CollectiveError, DeadlineError, RankFailedError } from '../../core/errors.js';
import { describeCall, encodeCall } from '../fingerprint.js';
import type { Collective, Transport, Work } from '../transport.js';
import { type GroupArea, LINE } from './area.js';
import { findCircle } from './circle.js';
import { Descriptors } from './descriptors.js';
import { RANK, WORD_ALARMS } from './segment.js';
import { Slots } from './slots.js';
import { programOf } from './steps.js';
import type { Waiting } from './waiting.js';
import { type Carrier, ThreadWork } from './work.js';

export class ThreadTransport implements Transport, Carrier {
  readonly mostBlocks = Number.POSITIVE_INFINITY;
  /** This rank's place. */
  readonly #member: number;
  readonly #area: GroupArea;
  readonly #waiting: Waiting;
  readonly #words: Int32Array;
  /** Words of this rank's line. */
  readonly #ownArrived: number;
  readonly #ownStarted: number;
  /** Words of the others: `arrived` in the group, and `parked` of the rank. */
  readonly #arrived: Int32Array;
  readonly #parked: Int32Array;
  /** World ranks of the others. */
  readonly #others: readonly number[];
  readonly #queue: ThreadWork[] = [];
  readonly #slots: Slots;
  readonly #descriptors: Descriptors;
  #calls = 0;
  #steps = 0;
  #closed = false;
  /** The segment's alarms when all was well. */
  #alarms = -1;

  constructor(area: GroupArea, member: number, waiting: Waiting) {
    const { segment } = area;
    const others = [...area.ranks.keys()].filter((m) => m !== member);
    this.#member = member;
    this.#area = area;
    this.#waiting = waiting;
    this.#slots = new Slots(area, member);
    this.#words = area.words;
    this.#descriptors = new Descriptors(area, member);
    this.#ownArrived = area.lineWord(member, LINE.arrived);
    this.#ownStarted = area.lineWord(member, LINE.started);
    this.#others = others.map((m) => area.ranks[m]);
    this.#arrived = Int32Array.from(others, (m) => area.lineWord(m, LINE.arrived));
    this.#parked = Int32Array.from(this.#others, (rank) => segment.rankWord(rank, RANK.parked));
    waiting.add(this);
  }

  start(call: Collective): Work<void> {
    const number = ++this.#calls;
    const work = new ThreadWork(this, call, number, programOf(call, this.#slots.members));
    const error = this.#look(number, call);
    if (error !== null) {
      work.fail(error);
      return work;
    }
    if (this.#queue.push(work) === 1) {
      this.#publish(work);
    } else {
      this.#words[this.#ownStarted] = number;
      // Those before it may be over by now, and then peers need not wait for this one.
      this.advance();
    }
    return work;
  }

  advance(): void {
    while (this.#queue.length > 0 && this.#allArrived()) {
      const work = this.#queue[0];
      try {
        this.#absorb(work);
      } catch (error) {
        work.fail(error as Error);
      }
      if (work.settled) {
        this.#queue.shift();
        if (this.#queue.length > 0) this.#publish(this.#queue[0]);
      } else {
        this.#publish(work);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#alarms = -1;
    this.#waiting.remove(this);
    this.#failAll(new CollectiveError(`group '${this.#area.name}' was destroyed`));
    this.#area.leave(this.#member);
    this.#area.ringMembers(this.#rank);
  }

  block(work: ThreadWork): void {
    this.#waiting.block(work);
  }

  get mayBlock(): boolean {
    return this.#waiting.mayBlock;
  }

  settle(work: ThreadWork): Promise<void> {
    return this.#waiting.settle(work);
  }

  get areaWord(): number {
    return this.#area.at;
  }

  check(deadline: number, search: boolean): void {
    const work = this.#queue[0];
    if (work === undefined) return;
    const error = this.#failure(work.number, work.call);
    if (error !== null) {
      this.#failAll(error);
      return;
    }
    const circle = search ? findCircle(this.#area.segment, this.#rank) : null;
    if (circle !== null) this.#break(circle.text, [...circle.areas, this.#area]);
    else if (performance.now() > deadline) this.#break(this.#deadlineText(work), [this.#area]);
  }

  get #rank(): number {
    return this.#area.ranks[this.#member];
  }

  #publish(work: ThreadWork): void {
    const step = ++this.#steps;
    work.program.publish(this.#slots, work.call, work.index, step);
    // The line that the others watch comes last, so that it changes hands only once.
    if (work.index === 0) {
      this.#words[this.#ownStarted] = this.#calls;
      this.#descriptors.write(work.call, work.number, step);
    }
    Atomics.store(this.#words, this.#ownArrived, step);
    for (let i = 0; i < this.#parked.length; i++) {
      if (Atomics.load(this.#words, this.#parked[i]) !== 0) {
        this.#area.segment.ring(this.#others[i]);
      }
    }
  }

  #allArrived(): boolean {
    for (let i = 0; i < this.#arrived.length; i++) {
      // The difference, since step numbers wrap around.
      if (((Atomics.load(this.#words, this.#arrived[i]) - this.#steps) | 0) < 0) return false;
    }
    return true;
  }

  #absorb(work: ThreadWork): void {
    if (work.index === 0) this.#descriptors.compare(this.#steps);
    work.program.absorb(this.#slots, work.call, work.index, this.#steps);
    work.index++;
    if (work.index === work.program.steps(work.call)) work.finish();
  }

  /**
   * The same as {@link #failure}, in one look while all is well: it is on the path of every
   * collective. Where a member is gone, what it has left behind may serve some calls, not all.
   */
  #look(number: number, call: Collective): Error | null {
    const alarms = Atomics.load(this.#words, WORD_ALARMS);
    if (alarms === this.#alarms) return null;
    const error = this.#failure(number, call);
    if (error === null && !this.#area.ranks.some((_, m) => this.#isGone(m))) this.#alarms = alarms;
    return error;
  }

  /** Why a collective cannot go on or start, or null. */
  #failure(number: number, call: Collective): Error | null {
    const name = this.#area.name;
    if (this.#closed) return new CollectiveError(`group '${name}' was destroyed`);
    const failed = this.#area.segment.failure.read();
    if (failed !== null) return new RankFailedError(failed.rank, failed.text);
    const broken = this.#area.failure.read();
    if (broken !== null) return new DeadlineError(broken.text);
    // In this order: one that arrives and leaves between the two looks has arrived.
    const gone = this.#area.ranks.findIndex((_, m) => this.#isGone(m) && this.#isMissing(m));
    if (gone < 0) return null;
    const rank = this.#area.ranks[gone];
    const code = this.#area.segment.load(rank, RANK.exitCode);
    const how =
      this.#area.segment.load(rank, RANK.exited) === 0 ? 'left' : `exited with code ${code}`;
    const text = describeCall(encodeCall(call), call.input.length, number, call.label);
    return new RankFailedError(
      rank,
      `rank ${rank} ${how} before ${text} in group '${name}', which rank ${this.#rank} is in`,
    );
  }

  /** Whether a member's data for the current step is not there; before the first start, it is. */
  #isMissing(member: number): boolean {
    const arrived = Atomics.load(this.#words, this.#area.lineWord(member, LINE.arrived));
    return member !== this.#member && ((arrived - this.#steps) | 0) < 0;
  }

  #isGone(member: number): boolean {
    const { segment, ranks } = this.#area;
    return (
      segment.load(ranks[member], RANK.exited) !== 0 ||
      Atomics.load(this.#words, this.#area.lineWord(member, LINE.left)) !== 0
    );
  }

  #deadlineText({ call, number }: ThreadWork): string {
    const text = describeCall(encodeCall(call), call.input.length, number, call.label);
    const missing = this.#area.ranks.filter((_, m) => this.#isMissing(m));
    return (
      `rank ${this.#rank} waited ${call.timeout / 1000} s in ${text} in group '${this.#area.name}' ` +
      `for rank ${missing.join(', ')}`
    );
  }

  /** Ends groups for all their members: their steps no longer match. */
  #break(text: string, areas: readonly GroupArea[]): void {
    for (const area of areas) {
      area.failure.write(this.#rank, text);
      area.ringMembers(this.#rank);
    }
    this.#failAll(new DeadlineError(this.#area.failure.read()?.text ?? text));
  }

  #failAll(error: Error): void {
    for (const work of this.#queue) work.fail(error);
    this.#queue.length = 0;
  }
}
