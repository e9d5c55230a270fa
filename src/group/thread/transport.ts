/**
 * Collectives of one group of threads. A rank publishes a step's data and descriptor in its slot,
 * then counts its `arrived` word up; when all members' words have reached the step, it compares
 * the descriptors and absorbs the data. Nobody waits for a leader, and nobody waits twice.
 */

import { CollectiveError, DeadlineError, RankFailedError } from '../../core/errors.js';
import { describeCall, encodeCall } from '../fingerprint.js';
import type { Reducer } from '../reducer.js';
import type { Collective, CollectiveArray, Transport, Work } from '../transport.js';
import { type GroupArea, LINE, SLOT_BYTES } from './area.js';
import { findCircle } from './circle.js';
import { Descriptors } from './descriptors.js';
import { RANK } from './segment.js';
import { programOf, type Slots } from './steps.js';
import type { Waiting } from './waiting.js';
import { type Carrier, ThreadWork } from './work.js';

/** Constructor of an array that views slots. */
interface SlotArray {
  new (buffer: ArrayBufferLike, offset: number, length: number): CollectiveArray;
  readonly BYTES_PER_ELEMENT: number;
}

export class ThreadTransport implements Transport, Carrier, Slots {
  readonly mostBlocks = Number.POSITIVE_INFINITY;
  readonly members: number;
  readonly member: number;
  readonly #area: GroupArea;
  readonly #waiting: Waiting;
  readonly #words: Int32Array;
  /** Word of each member's `arrived`. */
  readonly #arrived: Int32Array;
  readonly #queue: ThreadWork[] = [];
  readonly reduce: Reducer;
  /** Views of the slots by kind of array, then parity, then member. */
  readonly #views = new Map<SlotArray, CollectiveArray[][]>();
  readonly #descriptors: Descriptors;
  #calls = 0;
  #steps = 0;
  #closed = false;

  constructor(area: GroupArea, member: number, waiting: Waiting) {
    this.members = area.ranks.length;
    this.member = member;
    this.#area = area;
    this.#waiting = waiting;
    this.reduce = area.segment.reducer;
    this.#words = area.words;
    this.#descriptors = new Descriptors(area, member);
    this.#arrived = Int32Array.from(area.ranks, (_, m) => area.lineWord(m, LINE.arrived));
  }

  start(call: Collective): Work<void> {
    const number = ++this.#calls;
    const work = new ThreadWork(this, call, number, programOf(call, this.members));
    const error = this.#failure(number, call);
    if (error !== null) {
      work.fail(error);
      return work;
    }
    this.#words[this.#area.lineWord(this.member, LINE.started)] = number;
    this.#queue.push(work);
    if (this.#queue.length === 1) {
      this.#waiting.add(this);
      this.#publish(work);
    } else {
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
        if (this.#queue.length === 0) this.#waiting.remove(this);
        else this.#publish(this.#queue[0]);
      } else {
        this.#publish(work);
      }
    }
  }

  views(step: number, like: CollectiveArray): readonly CollectiveArray[] {
    const kind = like.constructor as SlotArray;
    const views = this.#views.get(kind) ?? this.#viewAll(kind);
    return views[step & 1];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failAll(new CollectiveError(`group '${this.#area.name}' was destroyed`));
    this.#area.leave(this.member);
    this.#area.ringMembers(this.#area.ranks[this.member]);
  }

  block(work: ThreadWork): void {
    this.#waiting.block(work);
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
    return this.#area.ranks[this.member];
  }

  #publish(work: ThreadWork): void {
    const step = ++this.#steps;
    if (work.index === 0) this.#descriptors.write(work.call, work.number, step);
    work.program.publish(this, work.call, work.index, step);
    Atomics.store(this.#words, this.#arrived[this.member], step);
    const { segment, ranks } = this.#area;
    for (let m = 0; m < ranks.length; m++) if (m !== this.member) segment.ring(ranks[m]);
  }

  #viewAll(kind: SlotArray): CollectiveArray[][] {
    const views = [0, 1].map((parity) =>
      this.#area.ranks.map((_, m) => {
        const at = this.#area.slotByte(m, parity);
        return new kind(this.#words.buffer, at, SLOT_BYTES / kind.BYTES_PER_ELEMENT);
      }),
    );
    this.#views.set(kind, views);
    return views;
  }

  #allArrived(): boolean {
    for (let m = 0; m < this.members; m++) {
      // The difference, since step numbers wrap around.
      if (((Atomics.load(this.#words, this.#arrived[m]) - this.#steps) | 0) < 0) return false;
    }
    return true;
  }

  #absorb(work: ThreadWork): void {
    if (work.index === 0) this.#descriptors.compare(this.#steps);
    work.program.absorb(this, work.call, work.index, this.#steps);
    work.index++;
    if (work.index === work.program.steps(work.call)) work.finish();
  }

  /** Why a collective cannot go on or start, or null. */
  #failure(number: number, call: Collective): Error | null {
    const name = this.#area.name;
    if (this.#closed) return new CollectiveError(`group '${name}' was destroyed`);
    const failed = this.#area.segment.failure.read();
    if (failed !== null) return new RankFailedError(failed.rank, failed.text);
    const broken = this.#area.failure.read();
    if (broken !== null) return new DeadlineError(broken.text);
    const gone = this.#goneMember();
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

  /**
   * Place of a member that left or ended and whose data for the current step is not there, or -1.
   * It is looked at in this order: one that arrives and leaves between the two looks has arrived.
   */
  #goneMember(): number {
    for (let m = 0; m < this.members; m++) if (this.#isGone(m) && this.#isMissing(m)) return m;
    return -1;
  }

  /** Whether a member's data for the current step is not there; before the first start, it is. */
  #isMissing(member: number): boolean {
    const arrived = Atomics.load(this.#words, this.#arrived[member]);
    return member !== this.member && ((arrived - this.#steps) | 0) < 0;
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
    this.#waiting.remove(this);
  }
}
