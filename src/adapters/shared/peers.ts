/** Keeps the other ranks from waiting for a rank whose step failed. */

import { describeError } from '../../core/errors.js';
import type { ProcessGroup } from '../../group/process-group.js';
import { tellPeers } from '../../group/tell-peers.js';

export class Peers {
  readonly #meetings: readonly ProcessGroup[];
  #next = 0;
  #inside: ProcessGroup | null = null;

  /** @param meetings the groups of a step's collectives, in their order */
  constructor(meetings: readonly ProcessGroup[]) {
    this.#meetings = meetings;
  }

  /** The next collective starts. Until `leave`, an error on this rank fails all of `group`. */
  meet(group: ProcessGroup): void {
    this.#inside = group;
    this.#next++;
  }

  leave(): void {
    this.#inside = null;
  }

  /** Fails the collectives that other ranks would wait in: the next and the step's final one. */
  fail(error: unknown, label: string): void {
    const told: ProcessGroup[] = this.#inside === null ? [] : [this.#inside];
    for (const group of [this.#meetings[this.#next], this.#meetings.at(-1)]) {
      if (group === undefined || group.rank < 0 || this.#next >= this.#meetings.length) continue;
      if (told.some(({ ranks }) => group.ranks.every((rank) => ranks.includes(rank)))) continue;
      told.push(group);
      tellPeers(group, describeError(error), label);
    }
  }
}
