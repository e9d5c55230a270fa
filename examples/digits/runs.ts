/** Makes one run of the demo: on threads that it starts, or on the ranks that a launcher has started. */

import { createGroup, getGroupSize, getRank, WORLD_GROUP } from 'syncbn';
import { launch } from 'syncbn/launch';
import type { RunPlan } from './plans.js';
import { startProgress } from './progress.js';
import type { Run } from './run.js';
import { type StepMessage, type TrainSettings, train } from './train.js';

/** Trains on as many threads as the plan has ranks. */
export async function trainOnThreads(plan: RunPlan, data: TrainSettings): Promise<Run> {
  const record = new Record(plan, data);
  const world = launch(new URL('./train.ts', import.meta.url), {
    workerNum: plan.ranks,
    data,
    onMessage: (message) => record.add(message as StepMessage),
  });
  try {
    await world.done;
  } finally {
    record.stop();
  }
  return record.run(data);
}

/** Trains on the first ranks of the world. @returns the run on rank 0, null on the others */
export async function trainHere(plan: RunPlan, settings: TrainSettings): Promise<Run | null> {
  const record = getRank() === 0 ? new Record(plan, settings) : null;
  try {
    await train(settings, async (message) => {
      record?.add(message);
      // Between two steps signals get through, and a terminal sees the bar move.
      await new Promise((next) => setImmediate(next));
    });
  } finally {
    record?.stop();
  }
  const ranks = Array.from({ length: getGroupSize() }, (_, rank) => rank);
  // Those that had no part in the run wait for it, however long it takes.
  createGroup(WORLD_GROUP, ranks).barrier({ timeout: Number.POSITIVE_INFINITY }).wait();
  return record?.run(settings) ?? null;
}

/** What a run says of itself, step by step. */
class Record {
  readonly #plan: RunPlan;
  readonly #losses: number[] = [];
  readonly #accuracies: Run['accuracies'][number][] = [];
  readonly #progress;
  readonly #started = performance.now();
  /** Milliseconds of the steps that measured nothing, the first one excepted. */
  readonly #stepTimes: number[] = [];
  #lastStep: number | null = null;
  #seconds = 0;

  constructor(plan: RunPlan, { steps }: TrainSettings) {
    this.#plan = plan;
    this.#progress = startProgress(plan.name, steps);
  }

  add({ step, loss, accuracy }: StepMessage): void {
    const now = performance.now();
    this.#losses.push(loss);
    if (accuracy !== undefined) this.#accuracies.push({ step, accuracy });
    else if (this.#lastStep !== null) this.#stepTimes.push(now - this.#lastStep);
    this.#lastStep = now;
    this.#progress.update(step, { loss });
  }

  /** Ends the clock, and what is shown of the progress. */
  stop(): void {
    this.#seconds = (performance.now() - this.#started) / 1000;
    this.#progress.stop();
  }

  run({ batchSize }: TrainSettings): Run {
    const { name, ranks } = this.#plan;
    return {
      ...{ name, ranks, samplesPerRank: batchSize / ranks },
      losses: this.#losses,
      accuracies: this.#accuracies,
      seconds: this.#seconds,
      stepSeconds: median(this.#stepTimes) / 1000,
    };
  }
}

/** The middle of the values, the upper one of two; NaN if there is none. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
