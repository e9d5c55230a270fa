/** Rounds of a group of threads: in an area of the segment, with bells for ranks that sleep. */

import { SharedRounds } from '../rounds/shared-rounds.js';
import type { GroupArea } from './area.js';
import { ThreadFate } from './fate.js';
import { RANK, type Segment } from './segment.js';

export class ThreadRounds extends SharedRounds {
  override readonly fate: ThreadFate;
  readonly #segment: Segment;
  /** World ranks of the other members, and their `parked` words. */
  readonly #others: readonly number[];
  readonly #parked: Int32Array;

  /** @param session see {@link ThreadFate} */
  constructor(area: GroupArea, member: number, session: number) {
    const { segment, ranks, capacity } = area;
    const options = { member, members: ranks.length, capacity };
    super(area.memory, options, () => area.leave(member));
    this.fate = new ThreadFate(area, member, session, (m) => this.hasCome(m));
    this.#segment = segment;
    this.#others = ranks.filter((_, m) => m !== member);
    this.#parked = Int32Array.from(this.#others, (rank) => segment.rankWord(rank, RANK.parked));
  }

  override send(): void {
    super.send();
    const { words } = this.#segment;
    for (let i = 0; i < this.#parked.length; i++) {
      if (Atomics.load(words, this.#parked[i]) !== 0) this.#segment.ring(this.#others[i]);
    }
  }
}
