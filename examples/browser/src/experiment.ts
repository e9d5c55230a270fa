/** Runs on worlds of workers, one after the other, and what they say while they run. */

import { launchWorkers } from 'syncbn/browser';
import type { DigitSets } from '../../digits/dataset.js';
import { isIsolated } from './platform.js';
import type { Framework, RankMessage, RankSettings } from './protocol.js';
import { launchOverRelay } from './relay-launch.js';

/** Samples of one step: two for each of 8 workers, the least that can be normalized alone. */
const BATCH = 16;
const LEARNING_RATE = 0.01;
const SEED = 1;
/** Seconds that a collective may take. */
const TIMEOUT = 120;
/** Measurements of the accuracy in a run, at most, and the least steps between two. */
const MEASUREMENTS = 10;
const MEASURE_EVERY = 10;
/** Samples and steps of a run that measures speed. */
const SPEED_BATCH = 64;
const SPEED_STEPS = 20;

/** The three runs that are compared, by their colours' numbers. */
export const ARMS = [
  { key: 'one', synchronized: true },
  { key: 'synchronized', synchronized: true },
  { key: 'alone', synchronized: false },
] as const;
export type Arm = (typeof ARMS)[number]['key'];

export function nameOf(arm: Arm, workers: number): string {
  if (arm === 'one') return 'one worker';
  return arm === 'synchronized'
    ? `${workers} workers, synchronized`
    : `${workers} workers, each alone`;
}

export interface Choice {
  readonly framework: Framework;
  readonly workers: number;
  readonly steps: number;
}

/** Listens to one run. */
export type Listener = (message: RankMessage, rank: number) => void;

/** A run under way. */
interface Running {
  readonly done: Promise<unknown>;
  stop(): void | Promise<void>;
}

export class Experiment {
  readonly #digits: DigitSets;
  #world: Running | null = null;

  constructor(digits: DigitSets) {
    this.#digits = digits;
  }

  /** Trains one of the three. @throws Error when `stop` was called, or a worker failed */
  async train(arm: Arm, { framework, workers, steps }: Choice, listen: Listener): Promise<void> {
    const { synchronized } = ARMS.find(({ key }) => key === arm)!;
    await this.#run(arm === 'one' ? 1 : workers, listen, {
      ...{ framework, synchronized, steps, batchSize: BATCH },
      measureEvery: Math.max(MEASURE_EVERY, Math.floor(steps / MEASUREMENTS)),
    });
  }

  /** Samples a second of `workers` synchronized workers. */
  async speed(framework: Framework, workers: number): Promise<number> {
    const seconds: number[] = [];
    const listen: Listener = (message) => {
      if (message.kind === 'step') seconds.push(message.seconds);
    };
    await this.#run(workers, listen, {
      ...{ framework, synchronized: true, steps: SPEED_STEPS, batchSize: SPEED_BATCH },
      measureEvery: null,
    });
    return SPEED_BATCH / median(seconds);
  }

  /** Ends the run under way. */
  async stop(): Promise<void> {
    await this.#world?.stop();
  }

  async #run(
    workerNum: number,
    listen: Listener,
    settings: Omit<RankSettings, 'digits' | 'seed' | 'learningRate'>,
  ): Promise<void> {
    const data: RankSettings = {
      ...settings,
      digits: this.#digits,
      seed: SEED,
      learningRate: LEARNING_RATE,
    };
    this.#world = isIsolated
      ? launchShared(workerNum, data, listen)
      : launchOverRelay(workerNum, data, TIMEOUT, listen);
    try {
      await this.#world.done;
    } finally {
      this.#world = null;
    }
  }
}

/** A world of workers that share memory. */
function launchShared(workerNum: number, data: RankSettings, listen: Listener): Running {
  return launchWorkers<void>(
    (rank) =>
      new Worker(new URL('./rank.ts', import.meta.url), { type: 'module', name: `rank ${rank}` }),
    {
      ...{ workerNum, data, timeout: TIMEOUT },
      onMessage: (message, rank) => listen(message as RankMessage, rank),
    },
  );
}

export function samplesPerSecond(seconds: readonly number[]): number {
  return BATCH / median(seconds);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}
