/** Tables of networks in TensorFlow.js and jax-js. */

import type { LayerRace, Scaling, StepRace } from '../frameworks/measure.js';
import { digits, grouped, type Rows, spreadText, verdict } from './table.js';

/** Times as fast as TensorFlow.js' own layer, forward and backward, and its network's step. */
const LAYER_GOALS = { wasm: 20, cpu: 200 } as const;
const STEP_GOAL = 2.5;
/** Samples a second of two ranks over those of one. */
const SCALING_GOALS: Readonly<Record<string, number>> = { 'TensorFlow.js 2': 1.8 };

export function layerRaceTables(races: readonly LayerRace[]): Rows[] {
  if (races.length === 0) return [];
  return [
    {
      title: 'The layer in TensorFlow.js, one rank',
      legend:
        'syncBatchNormalization against tf.layers.batchNormalization on the same backend. Faster: of medians.',
      head: ['backend', 'shape', 'pass', 'syncbn ms', 'built in ms', 'faster', 'goal'],
      rows: races.map(({ task: { backend, shape }, work, ours, theirs }) => {
        const faster = theirs.median / ours.median;
        const goal = work === 'training' ? LAYER_GOALS[backend] : null;
        return [
          ...[backend, `(${shape.join(', ')})`, work],
          ...[milliseconds(ours.median), milliseconds(theirs.median), digits(faster)],
          verdict(goal === null ? null : `>= ${goal}`, faster >= (goal ?? 0)),
        ];
      }),
    },
  ];
}

export function stepRaceTables(races: readonly StepRace[]): Rows[] {
  if (races.length === 0) return [];
  return [
    {
      title: 'A training step in TensorFlow.js, one rank',
      legend:
        '28 x 28, two convolutions (16, 32) with normalisation, on wasm; both with the gradient kernels, ' +
        'without which TensorFlow.js trains no convolution there. Faster: of medians.',
      head: ['batch', 'syncbn ms', 'TensorFlow.js ms', 'faster', 'goal'],
      rows: races.map(({ task: { batch }, ours, theirs }) => {
        const faster = theirs.median / ours.median;
        return [
          ...[String(batch), spread(ours), spread(theirs), digits(faster)],
          verdict(`>= ${STEP_GOAL}`, faster >= STEP_GOAL),
        ];
      }),
    },
  ];
}

export function scalingTables(scalings: readonly Scaling[]): Rows[] {
  return grouped(scalings, ({ framework }) => framework).map((group) => ({
    title: `A network of ${group[0].framework} on more ranks`,
    legend:
      'Threads, wasm, the same batch of all ranks together. Times: samples a second over those of ' +
      'one rank, of medians; efficiency: that over the ranks. Apart: each rank trains by itself, which ' +
      'is all that the machine has.',
    head: ['batch', 'ranks', 'step ms', 'samples/s', 'times', 'efficiency', 'goal'],
    rows: group.map(({ framework, task: { batch }, ranks, apart, time }) => {
      const alone = group.find((one) => one.task.batch === batch && one.ranks === 1);
      const times = (alone?.time.median ?? time.median) / time.median;
      const goal = apart ? null : (SCALING_GOALS[`${framework} ${ranks}`] ?? null);
      return [
        ...[String(batch), apart ? `${ranks}, apart` : String(ranks), spread(time)],
        ...[digits((batch * 1e6) / time.median), digits(times), digits(times / ranks)],
        verdict(goal === null ? null : `>= ${goal}`, times >= (goal ?? 0)),
      ];
    }),
  }));
}

/** Of microseconds. */
function milliseconds(micros: number): string {
  return micros < 100 ? (micros / 1000).toFixed(3) : digits(micros / 1000);
}

function spread({ median, low, high }: Scaling['time']): string {
  return spreadText({ median: median / 1000, low: low / 1000, high: high / 1000 });
}
