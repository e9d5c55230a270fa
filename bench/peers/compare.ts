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

const OWN = 'syncbn';

const PYTORCH_GOALS: Readonly<Record<string, Partial<Record<ShapeName, number>>>> = {
  'forward first': { A: 3.5, B: 7, C: 7, D: 7 },
  'training first': { A: 2, B: 4.5, C: 4.5, D: 4.5 },
  'forward last': { A: 1.2, B: 1.5, C: 1.5, D: 1.5 },
};

type Kind = 'jax-js' | 'TensorFlow.js' | 'PyTorch' | 'gloo';

interface Peer {
  readonly kind: Kind;
  readonly contestant: Contestant;
}

/** All contestants play every task. */
export async function compareLayers(
  ranks: number,
  { tasks, python, relaxed, seconds, onComparison }: CompareOptions,
): Promise<Comparison[]> {
  const comparisons: Comparison[] = [];
  const own = startThreads(OWN, script('syncbn-rank'), ranks, { relaxed });
  const peers = startPeers(ranks, python);
  const contestants = [own, ...peers.map(({ contestant }) => contestant)];
  try {
    for (const task of tasks) {
      const scores = await play(contestants, task, seconds, TOLERANCE);
      for (const comparison of pairs(scores, peers, task, ranks)) {
        comparisons.push(comparison);
        onComparison(comparison);
      }
    }
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
  }
  return comparisons;
}

function startPeers(ranks: number, python: Python | null): Peer[] {
  const threads = (kind: Kind, name: string, file: string): Peer => {
    return { kind, contestant: startThreads(`${kind} ${versionOf(name)}`, script(file), ranks) };
  };
  const peers = [
    threads('jax-js', '@jax-js/jax', 'jax-rank'),
    threads('TensorFlow.js', '@tensorflow/tfjs', 'tensorflow-rank'),
  ];
  if (python === null) return peers;
  peers.push({ kind: 'PyTorch', contestant: startBatchNorm(python, ranks) });
  if (ranks > 1) peers.push({ kind: 'gloo', contestant: startGloo(python, ranks) });
  return peers;
}

/** Each peer's works beside the same of this package. */
function pairs(
  scores: readonly Score[],
  peers: readonly Peer[],
  task: Task,
  ranks: number,
): Comparison[] {
  const timeOf = (name: string, work: string) =>
    scores.find((score) => score.name === name && score.work === work)!.time;
  return peers.flatMap(({ kind, contestant }) =>
    scores
      .filter(({ name }) => name === contestant.name)
      .map(({ name: peer, work, error, time: theirs }) => {
        const goal = ranks > 1 ? goalOf(kind, work, task) : null;
        return { task, ranks, work, peer, ours: timeOf(OWN, work), theirs, error, goal };
      }),
  );
}

/** @returns null where no goal is set */
function goalOf(kind: Kind, work: string, { shape, channelsLast }: Task): number | null {
  if (kind === 'jax-js') return 10;
  if (kind === 'TensorFlow.js') return 25;
  if (kind === 'gloo') return shape === 'L' ? 100 : 6;
  return PYTORCH_GOALS[`${work} ${channelsLast ? 'last' : 'first'}`]?.[shape] ?? null;
}

function script(name: string): URL {
  return new URL(`./${name}.js`, import.meta.url);
}

/** Version of an installed package. */
function versionOf(name: string): string {
  const text = readFileSync(join('node_modules', name, 'package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}
