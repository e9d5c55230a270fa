/** The same layer by this package and by its peers, in turns; and what the goals say. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ShapeName, Task } from '../shapes.js';
import type { Spread } from '../statistics.js';
import type { Contestant } from '../turns/contestant.js';
import { play, type Score } from '../turns/play.js';
import { startThreads } from '../turns/threads.js';
import { type Python, startBatchNorm, startGloo } from './pytorch.js';

/** This package against one peer. */
export interface Comparison {
  readonly task: Task;
  readonly ranks: number;
  /** 'forward', or 'training': forward and backward. */
  readonly work: string;
  readonly peer: string;
  readonly ours: Spread;
  readonly theirs: Spread;
  /** The peer's, to the float64 reference. */
  readonly error: number;
  /** Times as fast as the peer that this package shall be, with two ranks and more. */
  readonly goal: number | null;
}

export interface CompareOptions {
  readonly tasks: readonly Task[];
  readonly python: Python | null;
  readonly relaxed: boolean;
  /** Seconds for each contestant and work. */
  readonly seconds: number;
  readonly onComparison: (comparison: Comparison) => void;
}

/** Peers sum in float32, some of them plainly: this only tells that it was the same work. */
const TOLERANCE = 1e-3;

type Kind = 'jax-js' | 'TensorFlow.js' | 'PyTorch' | 'gloo';

/** All contestants play every task. */
export async function compareLayers(
  ranks: number,
  { tasks, python, relaxed, seconds, onComparison }: CompareOptions,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  const contestants: Contestant[] = [];
  const kinds = new Map<string, Kind>();
  const enter = (contestant: Contestant, kind: Kind | null) => {
    contestants.push(contestant);
    if (kind !== null) kinds.set(contestant.name, kind);
  };
  try {
    enter(startThreads('syncbn', script('syncbn-rank'), ranks, { relaxed }), null);
    const jax = `jax-js ${versionOf('@jax-js/jax')}`;
    enter(startThreads(jax, script('jax-rank'), ranks), 'jax-js');
    const tensorflow = `TensorFlow.js ${versionOf('@tensorflow/tfjs')}`;
    enter(startThreads(tensorflow, script('tensorflow-rank'), ranks), 'TensorFlow.js');
    if (python !== null) enter(startBatchNorm(python, ranks), 'PyTorch');
    if (python !== null && ranks > 1) enter(startGloo(python, ranks), 'gloo');
    for (const task of tasks) {
      for (const comparison of pair(await play(contestants, task, seconds, TOLERANCE))) {
        comparisons.push(comparison);
        onComparison(comparison);
      }

      function pair(scores: readonly Score[]): Comparison[] {
        const ours = new Map(scores.filter(isOurs).map(({ work, time }) => [work, time]));
        return scores.flatMap((score) => {
          const { name: peer, work, error, time: theirs } = score;
          const kind = kinds.get(peer);
          const own = ours.get(work);
          if (kind === undefined || own === undefined) return [];
          const goal = ranks > 1 ? goalOf(kind, work, task) : null;
          return [{ task, ranks, work, peer, ours: own, theirs, error, goal }];
        });
      }
    }
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
  }
  return comparisons;
}

function isOurs({ name }: Score): boolean {
  return name === 'syncbn';
}

function goalOf(kind: Kind, work: string, { shape, channelsLast }: Task): number | null {
  if (kind === 'jax-js') return 10;
  if (kind === 'TensorFlow.js') return 25;
  if (kind === 'gloo') return shape === 'L' ? 100 : 6;
  const goals: Partial<Record<ShapeName, number>> = channelsLast
    ? { A: 1.2, B: 1.5, C: 1.5, D: 1.5 }
    : work === 'forward'
      ? { A: 3.5, B: 7, C: 7, D: 7 }
      : { A: 2, B: 4.5, C: 4.5, D: 4.5 };
  return channelsLast && work !== 'forward' ? null : (goals[shape] ?? null);
}

function script(name: string): URL {
  return new URL(`./${name}.js`, import.meta.url);
}

/** Version of an installed package. */
function versionOf(name: string): string {
  const text = readFileSync(join('node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
