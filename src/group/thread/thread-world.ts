/** A world whose ranks are threads of one process and share a segment. */

import { coreCount } from '../../core/platform.js';
import { recorder } from '../rounds/recorder.js';
import { RoundsTransport } from '../rounds/transport.js';
import { Waiting } from '../rounds/waiting.js';
import { SoloTransport } from '../solo.js';
import type { Transport, World } from '../transport.js';
import { openArea } from './areas.js';
import { Doorbell } from './doorbell.js';
import { RANK, type Segment } from './segment.js';
import { ThreadRounds } from './thread-rounds.js';
import { type ThreadWorldHandle, viewOf } from './world.js';

/** @throws TypeError and RangeError for anything but the handle of a world */
export async function joinThreadWorld(handle: ThreadWorldHandle): Promise<World> {
  return new ThreadWorld(handle);
}

export class ThreadWorld implements World {
  readonly kind = 'thread';
  readonly rank: number;
  readonly size: number;
  readonly hostRanks: readonly number[];
  readonly timeout: number;
  readonly #segment: Segment;
  readonly #waiting: Waiting;
  /** Counts from 1 how often this rank has joined the world. */
  readonly #session: number;

  constructor(handle: ThreadWorldHandle) {
    const { segment, rank } = viewOf(handle, 'init');
    this.#segment = segment;
    this.rank = rank;
    this.size = segment.size;
    this.hostRanks = Array.from({ length: this.size }, (_, member) => member);
    this.timeout = this.#segment.timeout;
    this.#waiting = new Waiting(new Doorbell(this.#segment, this.rank));
    this.#session = this.#segment.load(this.rank, RANK.left) + 1;
    this.#segment.store(this.rank, RANK.leftAs, 0);
    this.#segment.store(this.rank, RANK.blamed, 0);
    recorder.identify(this.rank, this.size);
  }

  get mayBlock(): boolean {
    return this.#waiting.mayBlock;
  }

  connect(name: string, ranks: readonly number[]): Transport {
    if (ranks.length === 1) return new SoloTransport(this.rank);
    const area = openArea(this.#segment, name, ranks, this.rank);
    return new RoundsTransport({
      ...{ name, ranks, rank: this.rank, waiting: this.#waiting },
      rounds: new ThreadRounds(area, ranks.indexOf(this.rank), this.#session),
      // Each block is a meeting, and ranks that share cores take turns in it.
      mostBlocks: this.size > coreCount() ? 1 : Number.POSITIVE_INFINITY,
    });
  }

  release(): void {
    this.#segment.markGone(this.rank);
    // Also for groups that this rank has never made, but others wait in.
    this.#segment.store(this.rank, RANK.left, this.#session);
    this.#segment.ringAll();
  }
}
