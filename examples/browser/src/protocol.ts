/** What the page tells the ranks of a run, and what they tell the page. */

import type { DigitSets } from '../../digits/dataset.js';
import type { Weights } from './weights.js';

export const FRAMEWORKS = { jax: 'jax-js', tfjs: 'TensorFlow.js' } as const;
export type Framework = keyof typeof FRAMEWORKS;

/** `data` of every rank. */
export interface RankSettings {
  readonly framework: Framework;
  readonly digits: DigitSets;
  /** Whether statistics are those of all ranks, or of each alone. */
  readonly synchronized: boolean;
  /** Samples of one step over all ranks, at least two for each. */
  readonly batchSize: number;
  readonly steps: number;
  readonly seed: number;
  /** Largest learning rate. */
  readonly learningRate: number;
  /** Steps between measurements of the accuracy; null: none. */
  readonly measureEvery: number | null;
}

export type RankMessage =
  /** From rank 0, after each step; `seconds` that it took. */
  | {
      readonly kind: 'step';
      readonly step: number;
      readonly loss: number;
      readonly seconds: number;
    }
  /** From rank 0: share of the test digits that it tells right, and the network that does. */
  | {
      readonly kind: 'accuracy';
      readonly step: number;
      readonly accuracy: number;
      readonly weights: Weights;
    }
  /** From every rank: the running means of some channels of the last normalization. */
  | { readonly kind: 'means'; readonly step: number; readonly means: Float32Array };
