/** Everything that one run of the benchmark has measured. */

import type { Latency } from './collectives/measure.js';
import type { Floor } from './floors/measure.js';
import type { LayerRace, Scaling, StepRace } from './frameworks/measure.js';
import type { GradientScores } from './gradients/measure.js';
import type { Machine } from './machine.js';
import type { Comparison } from './peers/compare.js';
import type { Measurement } from './rank.js';
import type { VariantScore } from './variants/measure.js';

export interface Results {
  readonly machine: Machine;
  /** What was typed, paths excepted. */
  readonly command: string;
  readonly layers: readonly Measurement[];
  readonly floors: readonly Floor[];
  readonly latencies: readonly Latency[];
  readonly gradients: readonly GradientScores[];
  readonly comparisons: readonly Comparison[];
  /** In TensorFlow.js, on one rank. */
  readonly layerRaces: readonly LayerRace[];
  readonly stepRaces: readonly StepRace[];
  readonly scalings: readonly Scaling[];
  /** Other ways to run a layer. */
  readonly variants: readonly VariantScore[];
  /** What could not be measured, and why. */
  readonly notes: readonly string[];
}
