/** A rank's knowledge of the other threads of a group: who is gone, and who waits for whom. */

import { DeadlineError, RankFailedError } from '../../core/errors.js';
import { lostError } from '../rounds/endings.js';
import type { Described, Fate } from '../rounds/rounds.js';
import { type GroupArea, LINE } from './area.js';
import { ranksToBlame } from './blame.js';
import { findCircle } from './circle.js';
import { RANK, WORD_ALARMS } from './segment.js';

/** Milliseconds after which a blocked rank looks for a circle, each time that it wakes. */
const CIRCLE_MS = 100;

export class ThreadFate implements Fate {
  readonly #area: GroupArea;
  readonly #member: number;
  readonly #session: number;
  readonly #hasCome: (member: number) => boolean;
  /** The segment's alarms when all was well. */
  #alarms = -1;
  /** Number of the collective that this rank blocks in, or 0. */
  #blocked = 0;

  /**
   * @param session counts how often this rank has joined the world: a rank that has left it as
   *   often is gone, a rank that has left it less often is there or has yet to come back
   * @param hasCome tells if a member's frame of the round under way is there
   */
  constructor(
    area: GroupArea,
    member: number,
    session: number,
    hasCome: (member: number) => boolean,
  ) {
    this.#area = area;
    this.#member = member;
    this.#session = session;
    this.#hasCome = hasCome;
  }

  lost(call: Described, waited: number): Error | null {
    const alarms = Atomics.load(this.#area.words, WORD_ALARMS);
    if (alarms !== this.#alarms) {
      const error = this.#look(call);
      if (error !== null) return error;
      // Frames that members left behind may be enough for some calls, but not for all.
      if (!this.#area.ranks.some((_, m) => this.#isGone(m))) this.#alarms = alarms;
    }
    return waited >= CIRCLE_MS && this.#blocked !== 0 ? this.#searchCircle() : null;
  }

  block(call: number): void {
    this.#blocked = call;
    this.#area.segment.markBlocked(this.#rank, call === 0 ? 0 : this.#area.at, call);
  }

  expect(call: number): void {
    this.#area.segment.store(this.#rank, RANK.awaitedArea, call === 0 ? 0 : this.#area.at);
  }

  blame(missing: readonly number[]): readonly number[] {
    const { segment } = this.#area;
    const blamed = ranksToBlame(segment, this.#rank, missing);
    if (blamed.length > 0) this.failedFor(blamed[0]);
    return blamed;
  }

  failedFor(rank: number): void {
    if (rank !== this.#rank) this.#area.segment.store(this.#rank, RANK.blamed, rank + 1);
  }

  queue(call: number): void {
    Atomics.store(this.#area.words, this.#area.lineWord(this.#member, LINE.queued), call);
  }

  fail(text: string): string {
    this.#area.failure.write(this.#rank, text);
    this.#area.ringMembers(this.#rank);
    return this.#area.failure.read()?.text ?? text;
  }

  get #rank(): number {
    return this.#area.ranks[this.#member];
  }

  #look(call: Described): Error | null {
    const { segment, ranks, name, failure } = this.#area;
    const own = { name, ranks, rank: this.#rank };
    const failed = segment.failure.read();
    if (failed !== null)
      return this.#failFor(failed.rank, new RankFailedError(failed.rank, failed.text));
    const broken = failure.read();
    if (broken !== null) return this.#failFor(broken.rank, new DeadlineError(broken.text));
    // In this order: a member that sends and leaves between the two looks has sent.
    const gone = ranks.map((_, m) => m).filter((m) => this.#isGone(m) && !this.#hasCome(m));
    if (gone.length === 0) return null;
    // The first to leave: others may have left since.
    const [rank] = gone.sort((a, b) => this.#leftAs(a) - this.#leftAs(b)).map((m) => ranks[m]);
    const hasExited = segment.load(rank, RANK.exited) !== 0;
    const how = hasExited ? `exited with code ${segment.load(rank, RANK.exitCode)}` : 'left';
    const cause = segment.load(rank, RANK.blamed) - 1;
    return this.#failFor(rank, lostError(own, call, rank, how, cause));
  }

  #failFor(rank: number, error: Error): Error {
    this.failedFor(rank);
    return error;
  }

  #isGone(member: number): boolean {
    const { segment, ranks } = this.#area;
    const rank = ranks[member];
    const hasLeft = segment.load(rank, RANK.left) >= this.#session || this.#area.leftAs(member) > 0;
    return hasLeft || segment.load(rank, RANK.exited) !== 0;
  }

  /** Place of a member that is gone: when it left the group, or the world, or ended. */
  #leftAs(member: number): number {
    const { segment, ranks } = this.#area;
    const ways = [this.#area.leftAs(member), segment.load(ranks[member], RANK.leftAs)];
    return Math.min(...ways.filter((way) => way > 0));
  }

  #searchCircle(): Error | null {
    const circle = findCircle(this.#area.segment, this.#rank);
    if (circle === null) return null;
    for (const area of circle.areas) {
      area.failure.write(this.#rank, circle.text);
      area.ringMembers(this.#rank);
    }
    return new DeadlineError(this.fail(circle.text));
  }
}
