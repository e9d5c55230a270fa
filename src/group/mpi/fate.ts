/** A rank's knowledge of the other processes of a group: who has left, and who waits for whom. */

import { DeadlineError, RankFailedError } from '../../core/errors.js';
import type { Membership } from '../rounds/disagreement.js';
import { lostError } from '../rounds/endings.js';
import type { Described, Fate } from '../rounds/rounds.js';
import type { Departure, Guest, Lobby, Waiter } from './lobby.js';
import { ALIVE } from './notices.js';

/** A group, whether its members have met or not. */
export interface Hosted extends Membership, Waiter {
  /** World ranks of the other members. */
  readonly peers: readonly number[];
  /** Members that have made the group, by world rank. */
  readonly guests: ReadonlyMap<number, Guest>;
  /** Number of the round under way, or of the latest round; 1 before the members have met. */
  readonly round: number;
  /** Tells the other members why no collective can run any more. */
  tellBroken(text: string): void;
}

export class MpiFate implements Fate {
  readonly #group: Hosted;
  readonly #lobby: Lobby;
  /** The lobby's alarms when all was well. */
  #alarms = 0;

  constructor(group: Hosted, lobby: Lobby) {
    this.#group = group;
    this.#lobby = lobby;
  }

  lost(call: Described): Error | null {
    const { alarms, gone } = this.#lobby;
    if (alarms === this.#alarms) return null;
    let isWell = true;
    let first: [number, Departure] | null = null;
    for (const rank of this.#group.peers) {
      const guest = this.#group.guests.get(rank);
      if (guest !== undefined && guest.broken !== null) return new DeadlineError(guest.broken);
      const left = guest?.left ?? gone.get(rank);
      if (left === undefined) continue;
      isWell = false;
      // Numbers of rounds wrap around.
      const isLost = ((left.rounds - this.#group.round) | 0) < 0;
      if (isLost && (first === null || left.order < first[1].order)) first = [rank, left];
    }
    if (isWell) this.#alarms = alarms;
    // Others have left since the first one did.
    return first === null ? null : this.#errorOf(call, ...first);
  }

  block(call: number): void {
    this.#lobby.blocked = call === 0 ? null : this.#group;
  }

  expect(call: number): void {
    this.#lobby.awaited = call === 0 ? null : this.#group;
  }

  blame(missing: readonly number[]): readonly number[] {
    return this.#lobby.blame(this.#group.rank, missing);
  }

  /** Not told: the message of a process that leaves has no room for it. */
  failedFor(): void {}

  /** Circles are not looked for: their deadlines end them. */
  queue(): void {}

  fail(text: string): string {
    this.#group.tellBroken(text);
    return text;
  }

  #errorOf(call: Described, rank: number, { exitCode, text }: Departure): RankFailedError {
    if (text !== '') return new RankFailedError(rank, `rank ${rank} failed: ${text}`);
    const how = exitCode === ALIVE ? 'left' : `exited with code ${exitCode}`;
    return lostError(this.#group, call, rank, how);
  }
}
