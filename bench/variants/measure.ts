/** The ways to run a layer against the plain one, on the same threads in turns. */

import { layoutsOf, type ShapeName } from '../shapes.js';
import type { Spread } from '../statistics.js';
import { play } from '../turns/play.js';
import { startThreads } from '../turns/threads.js';
import {
  goalOf,
  PLAIN,
  TOLERANCES,
  type VariantName,
  type VariantPart,
  WORKS,
  type Work,
} from './variants.js';

export interface VariantTask {
  readonly part: VariantPart;
  readonly shape: ShapeName;
  readonly channelsLast: boolean;
  /** Mean of x, in standard deviations. */
  readonly mean: number;
}

/** One way and one work. */
export interface VariantScore {
  readonly task: VariantTask;
  readonly ranks: number;
  readonly name: VariantName;
  readonly work: Work;
  readonly plain: Spread;
  readonly time: Spread;
  readonly error: number;
  readonly goal: number | null;
}

export interface VariantOptions {
  readonly part: VariantPart;
  readonly shapes: readonly ShapeName[];
  readonly mean: number;
  /** Seconds for each work of each way. */
  readonly seconds: number;
  readonly relaxed: boolean;
  readonly onTask: (task: VariantTask) => void;
}

export async function measureVariants(
  ranks: number,
  { part, shapes, mean, seconds, relaxed, onTask }: VariantOptions,
): Promise<VariantScore[]> {
  const script = new URL('./rank.js', import.meta.url);
  const threads = startThreads('syncbn', script, ranks, { relaxed });
  const scores: VariantScore[] = [];
  try {
    for (const shape of shapes) {
      for (const channelsLast of layoutsOf(shape)) {
        const task = { part, shape, channelsLast, mean };
        const played = await play([threads], task, seconds, TOLERANCES[part]);
        const found = (name: string, work: Work) =>
          played.find((score) => score.work === `${name}: ${work}`)!;
        for (const name of namesIn(played.map(({ work }) => work))) {
          for (const work of WORKS) {
            const { time, error } = found(name, work);
            const plain = found(PLAIN, work).time;
            const goal = ranks > 1 ? goalOf(name, work, shape) : null;
            scores.push({ task, ranks, name, work, plain, time, error, goal });
          }
        }
        onTask(task);
      }
    }
  } finally {
    await threads.close();
  }
  return scores;
}

/** The ways among works such as 'add: forward', the plain one left out. */
function namesIn(works: readonly string[]): VariantName[] {
  const names = works.map((work) => work.slice(0, work.lastIndexOf(':')));
  return [...new Set(names)].filter((name) => name !== PLAIN) as VariantName[];
}
