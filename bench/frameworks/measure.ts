/** TensorFlow.js with and without this package, and networks on more and more ranks, in turns. */

import type { Spread } from '../statistics.js';
import type { Contestant } from '../turns/contestant.js';
import { play, type Score } from '../turns/play.js';
import { startApart, startThreads } from '../turns/threads.js';
import { LAYER_TASKS, type LayerTask, type NetworkTask } from './tasks.js';

/** The synchronized layer on one rank against TensorFlow.js' own. */
export interface LayerRace {
  readonly task: LayerTask;
  /** 'forward', or 'training': forward and backward. */
  readonly work: string;
  readonly ours: Spread;
  readonly theirs: Spread;
}

/** A step of the network with either layer, on one rank. */
export interface StepRace {
  readonly task: NetworkTask;
  readonly ours: Spread;
  readonly theirs: Spread;
}

/** A step of a network on several ranks. */
export interface Scaling {
  readonly framework: string;
  readonly task: NetworkTask;
  readonly ranks: number;
  /** True if the ranks never meet: no program on so many cores can be faster. */
  readonly apart: boolean;
  readonly time: Spread;
}

/** float32 all along; this only tells that it was the same work. */
const TOLERANCE = 1e-3;
const OWN = 'own';
const BUILT_IN = 'built in';
const APART = 'apart';

const script = (name: string) => new URL(`./${name}.js`, import.meta.url);

export async function raceLayers(
  seconds: number,
  onRace: (race: LayerRace) => void,
): Promise<LayerRace[]> {
  const races: LayerRace[] = [];
  await withContestants(pair('layer-rank'), async (contestants) => {
    for (const task of LAYER_TASKS) {
      const scores = await play(contestants, task, seconds, TOLERANCE);
      for (const work of ['forward', 'training']) {
        const race = { task, work, ...timesOf(scores, work) };
        races.push(race);
        onRace(race);
      }
    }
  });
  return races;
}

export async function raceSteps(
  seconds: number,
  onRace: (race: StepRace) => void,
): Promise<StepRace[]> {
  const races: StepRace[] = [];
  await withContestants(pair('tensorflow-network-rank'), async (contestants) => {
    for (const batch of [32, 64]) {
      const scores = await play(contestants, { batch }, seconds, TOLERANCE);
      const race = { task: { batch }, ...timesOf(scores, 'step') };
      races.push(race);
      onRace(race);
    }
  });
  return races;
}

/** @param sizes numbers of ranks; one rank comes first, which efficiencies are of */
export async function measureScaling(
  sizes: readonly number[],
  seconds: number,
  onScaling: (scaling: Scaling) => void,
): Promise<Scaling[]> {
  const scalings: Scaling[] = [];
  const worlds = [...new Set([1, ...sizes])];
  for (const framework of ['TensorFlow.js', 'jax-js']) {
    const file = `${framework === 'jax-js' ? 'jax' : 'tensorflow'}-network-rank`;
    const start = () =>
      worlds.flatMap((ranks) => {
        const data = { own: true, ranks };
        const together = startThreads(String(ranks), script(file), ranks, data);
        if (ranks === 1) return [together];
        return [together, startApart(`${ranks} ${APART}`, script(file), ranks, data)];
      });
    await withContestants(start(), async (contestants) => {
      for (const batch of [64, 128]) {
        const scores = await play(contestants, { batch }, seconds, TOLERANCE);
        for (const { name, time } of scores) {
          const apart = name.endsWith(APART);
          const ranks = Number.parseInt(name, 10);
          const scaling = { framework, task: { batch }, ranks, apart, time };
          scalings.push(scaling);
          onScaling(scaling);
        }
      }
    });
  }
  return scalings;
}

/** The synchronized layer and the built-in one. */
function pair(file: string): Contestant[] {
  return [OWN, BUILT_IN].map((name) => startThreads(name, script(file), 1, { own: name === OWN }));
}

async function withContestants(
  contestants: readonly Contestant[],
  run: (contestants: readonly Contestant[]) => Promise<void>,
): Promise<void> {
  try {
    await run(contestants);
  } finally {
    await Promise.all(contestants.map((contestant) => contestant.close()));
  }
}

function timesOf(scores: readonly Score[], work: string): { ours: Spread; theirs: Spread } {
  const timeOf = (name: string) =>
    (scores.find((score) => score.name === name && score.work === work) as Score).time;
  return { ours: timeOf(OWN), theirs: timeOf(BUILT_IN) };
}
