/** A world of one: every collective ends as it starts. Also for groups of one in any world. */

import { RankFailedError } from '../core/errors.js';
import { ProcessGroup } from './process-group.js';
import type { Collective, Transport, Work, World } from './transport.js';

const FINISHED: Work<void> = {
  wait: () => {},
  done: () => Promise.resolve(),
};

/** Carries collectives of a group with one member. */
export class SoloTransport implements Transport {
  readonly mostBlocks = Number.POSITIVE_INFINITY;
  /** Nothing is ever waited for. */
  readonly mayBlock = true;
  readonly #rank: number;

  /** @param rank world rank of the only member */
  constructor(rank: number) {
    this.#rank = rank;
  }

  start(call: Collective): Work<void> {
    if (call.kind === 'raise') throw new RankFailedError(this.#rank, call.message);
    call.gathered?.push(call.input.slice());
    if (call.output !== call.input) call.output.set(call.input);
    return FINISHED;
  }

  close(): void {}
}

/** The world of a program that no launcher started. */
export class SoloWorld implements World {
  readonly kind = 'solo';
  readonly mayBlock = true;
  readonly rank = 0;
  readonly size = 1;
  readonly hostRanks = [0];
  readonly timeout: number;

  constructor(timeout: number) {
    this.timeout = timeout;
  }

  connect(): Transport {
    return new SoloTransport(0);
  }

  release(): void {}
}

/** The group of this rank alone, in every world; its collectives send nothing. */
export const soloGroup = new ProcessGroup(
  'self',
  [0],
  0,
  new SoloTransport(0),
  Number.POSITIVE_INFINITY,
);
