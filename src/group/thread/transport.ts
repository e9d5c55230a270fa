/**
 * Collectives of one group of threads. A rank publishes a step's data and descriptor in its slot,
 * then counts its `arrived` word up; when all members' words have reached the step, it compares
 * the descriptors and absorbs the data. Nobody waits for a leader, and nobody waits twice.
 */

import {
  CollectiveError,
  DeadlineError,
  MismatchError,
  RankFailedError,
} from '../../core/errors.js';
import { describeCall, encodeCall, hashLabel, isRaise } from '../fingerprint.js';
import type { Collective, CollectiveArray, Transport, Work } from '../transport.js';
import { DESCRIPTOR, type GroupArea, LABEL_BYTES, LINE, SLOT_BYTES } from './area.js';
import { findCircle } from './circle.js';
import { readText, writeText } from './failure-record.js';
import { RANK } from './segment.js';
import { type Program, programOf, type Slots } from './steps.js';
import type { Awaited, Progress, Waiting } from './waiting.js';

export class ThreadTransport implements Transport, Progress, Slots {
  readonly members: number;
  readonly member: number;
  readonly #area: GroupArea;
  readonly #waiting: Waiting;
  readonly #words: Int32Array;
  /** Word of each member's `arrived`. */
  readonly #arrived: Int32Array;
  readonly #queue: ThreadWork[] = [];
  /** Views of the slots by kind of array, then 2 * member + parity. */
  readonly #views = new Map<unknown, CollectiveArray[]>();
  /** Labels that this rank's two descriptors hold. */
  readonly #labels = ['', ''];
  #calls = 0;
  #steps = 0;
  #closed = false;

  constructor(area: GroupArea, member: number, waiting: Waiting) {
    this.members = area.ranks.length;
    this.member = member;
    this.#area = area;
    this.#waiting = waiting;
    this.#words = area.words;
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

  view(member: number, step: number, like: CollectiveArray): CollectiveArray {
    const kind = like.constructor as new (
      buffer: ArrayBufferLike,
      offset: number,
      length: number,
    ) => CollectiveArray;
    let views = this.#views.get(kind);
    if (views === undefined) {
      const length = SLOT_BYTES / like.BYTES_PER_ELEMENT;
      views = Array.from(
        { length: 2 * this.members },
        (_, i) => new kind(this.#words.buffer, this.#area.slotByte(i >> 1, i & 1), length),
      );
      this.#views.set(kind, views);
    }
    return views[2 * member + (step & 1)];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failAll(new CollectiveError(`group '${this.#area.name}' was destroyed`));
    this.#area.leave(this.member);
    this.#area.ringMembers(this.#area.ranks[this.member]);
  }

  /** Blocks until `work` has settled. */
  block(work: ThreadWork): void {
    this.#waiting.block(work);
  }

  settle(work: ThreadWork): Promise<void> {
    return this.#waiting.settle(work);
  }

  get areaWord(): number {
    return this.#area.at;
  }

  /**
   * Looks for a reason why the collectives under way can never end, and fails them if so.
   * @param search whether to look for a circle of ranks, too, which takes longer
   */
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
    if (work.index === 0) this.#describe(work, step);
    work.program.publish(this, work.index, step);
    Atomics.store(this.#words, this.#arrived[this.member], step);
    const { segment, ranks } = this.#area;
    for (let m = 0; m < ranks.length; m++) if (m !== this.member) segment.ring(ranks[m]);
  }

  #describe({ call, number }: ThreadWork, step: number): void {
    const words = this.#words;
    const at = this.#area.descriptorWord(this.member, step);
    words[at + DESCRIPTOR.code] = encodeCall(call);
    words[at + DESCRIPTOR.count] = call.input.length;
    words[at + DESCRIPTOR.call] = number;
    words[at + DESCRIPTOR.labelHash] = hashLabel(call.label);
    if (call.kind === 'raise') {
      this.#writeRaised(call.message, step);
    }
    if (this.#labels[step & 1] === call.label) return;
    this.#labels[step & 1] = call.label;
    const label = this.#area.labelWord(this.member, step);
    words[at + DESCRIPTOR.labelBytes] = writeText(words, label, LABEL_BYTES, call.label);
  }

  /** The text of a `raise` goes where data would: its length, then UTF-8. */
  #writeRaised(message: string, step: number): void {
    const at = this.#area.slotByte(this.member, step) / 4;
    this.#words[at] = writeText(this.#words, at + 1, SLOT_BYTES - 4, message);
  }

  #allArrived(): boolean {
    for (let m = 0; m < this.members; m++) {
      // The difference, since step numbers wrap around.
      if (((Atomics.load(this.#words, this.#arrived[m]) - this.#steps) | 0) < 0) return false;
    }
    return true;
  }

  #absorb(work: ThreadWork): void {
    if (work.index === 0) this.#compareDescriptors(this.#steps);
    work.program.absorb(this, work.index, this.#steps);
    work.index++;
    if (work.index === work.program.steps) work.finish();
  }

  /** All members have arrived, so all read the same descriptors and throw the same error. */
  #compareDescriptors(step: number): void {
    const words = this.#words;
    const first = this.#area.descriptorWord(0, step);
    let differs = -1;
    for (let m = 0; m < this.members; m++) {
      const at = this.#area.descriptorWord(m, step);
      if (isRaise(words[at])) throw this.#raised(m, step);
      if (
        differs < 0 &&
        (words[at] !== words[first] ||
          words[at + DESCRIPTOR.count] !== words[first + DESCRIPTOR.count] ||
          words[at + DESCRIPTOR.labelHash] !== words[first + DESCRIPTOR.labelHash])
      ) {
        differs = m;
      }
    }
    if (differs >= 0) {
      throw new MismatchError(
        `ranks disagree in group '${this.#area.name}': rank ${this.#area.ranks[differs]} is in ` +
          `${this.#describeMember(differs, step)}, rank ${this.#area.ranks[0]} in ${this.#describeMember(0, step)}`,
      );
    }
  }

  #raised(member: number, step: number): RankFailedError {
    const at = this.#area.slotByte(member, step) / 4;
    const rank = this.#area.ranks[member];
    const text = readText(this.#words, at + 1, this.#words[at]);
    return new RankFailedError(rank, `rank ${rank} failed: ${text}`);
  }

  #describeMember(member: number, step: number): string {
    return describeMember(this.#area, member, step);
  }

  /** Why a collective cannot go on or start, or null. */
  #failure(number: number, call: Collective): Error | null {
    const name = this.#area.name;
    if (this.#closed) return new CollectiveError(`group '${name}' was destroyed`);
    const failed = this.#area.segment.failure.read();
    if (failed !== null) return new RankFailedError(failed.rank, failed.text);
    const broken = this.#area.failure.read();
    if (broken !== null) return new DeadlineError(broken.text);
    const gone = this.#missingMembers().find((m) => this.#isGone(m));
    if (gone === undefined) return null;
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

  /** Members whose data for the current step is not there; before the first start, none. */
  #missingMembers(): number[] {
    const missing: number[] = [];
    for (let m = 0; m < this.members; m++) {
      const arrived = Atomics.load(this.#words, this.#arrived[m]);
      if (m !== this.member && ((arrived - this.#steps) | 0) < 0) missing.push(m);
    }
    return missing;
  }

  #isGone(member: number): boolean {
    const { segment, ranks } = this.#area;
    const rank = ranks[member];
    return (
      segment.load(rank, RANK.exited) !== 0 ||
      Atomics.load(this.#words, this.#area.lineWord(member, LINE.left)) !== 0
    );
  }

  #deadlineText({ call, number }: ThreadWork): string {
    const text = describeCall(encodeCall(call), call.input.length, number, call.label);
    const missing = this.#missingMembers().map((m) => this.#area.ranks[m]);
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

/** What a member is in, read from its descriptor of `step`. */
export function describeMember(area: GroupArea, member: number, step: number): string {
  const { words } = area;
  const at = area.descriptorWord(member, step);
  const labelAt = area.labelWord(member, step);
  const label = readText(words, labelAt, words[at + DESCRIPTOR.labelBytes]);
  return describeCall(words[at], words[at + DESCRIPTOR.count], words[at + DESCRIPTOR.call], label);
}

/** A collective of a {@link ThreadTransport}, under way or over. */
class ThreadWork implements Work<void>, Awaited {
  readonly call: Collective;
  /** Counts the group's collectives on this rank, from 1. */
  readonly number: number;
  readonly program: Program;
  /** Step of the program that is published or will be next. */
  index = 0;
  settled = false;
  #error: Error | null = null;
  #blocking = false;
  readonly #transport: ThreadTransport;
  readonly #deadline: number;

  constructor(transport: ThreadTransport, call: Collective, number: number, program: Program) {
    this.#transport = transport;
    this.call = call;
    this.number = number;
    this.program = program;
    this.#deadline = performance.now() + call.timeout;
  }

  wait(): void {
    if (!this.settled) this.#transport.advance();
    if (!this.settled) {
      this.#blocking = true;
      this.#transport.block(this);
    }
    if (this.#error !== null) throw this.#error;
  }

  async done(): Promise<void> {
    if (!this.settled) this.#transport.advance();
    if (!this.settled) await this.#transport.settle(this);
    if (this.#error !== null) throw this.#error;
  }

  get blockedArea(): number {
    return this.#transport.areaWord;
  }

  get blockedCall(): number {
    return this.number;
  }

  check(idle: boolean): void {
    this.#transport.check(this.#deadline, idle && this.#blocking);
  }

  finish(): void {
    this.settled = true;
  }

  fail(error: Error): void {
    if (this.settled) return;
    this.#error = error;
    this.settled = true;
  }
}
