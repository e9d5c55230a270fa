/** Ways to run a layer that are held against the plain way: float32 in the kernels' memory. */

import type { ShapeName } from '../shapes.js';

export const VARIANT_PARTS = ['tail', 'halves', 'masks', 'reproducible', 'foreign'] as const;
export type VariantPart = (typeof VARIANT_PARTS)[number];

/** The way that all others are held against, on the same ranks in the same run. */
export const PLAIN = 'plain';

export const VARIANTS = {
  tail: ['relu', 'add', 'add and relu', 'add and relu apart'],
  halves: ['bfloat16', 'float16'],
  masks: ['mask', 'mask, zeros'],
  reproducible: ['reproducible'],
  foreign: ['foreign'],
} as const satisfies Record<VariantPart, readonly string[]>;

export type VariantName = typeof PLAIN | (typeof VARIANTS)[VariantPart][number];

export const WORKS = ['forward', 'training'] as const;
export type Work = (typeof WORKS)[number];

/** Titles of the parts' tables. */
export const TITLES: Record<VariantPart, string> = {
  tail: 'Addition and rectifier',
  halves: '16 bits',
  masks: 'Masks',
  reproducible: 'The same bits for every split',
  foreign: 'Foreign arrays',
};

export const LEGENDS: Record<VariantPart, string> = {
  tail:
    'relu, add: options of the same calls. Apart: three passes, an addition and a rectifier in ' +
    'JavaScript after the plain forward call, and the rectifier’s gradient before the backward call.',
  halves: 'Inputs, outputs and gradients of 16 bits, in the kernels’ memory.',
  masks: 'Three values of five count. Zeros: maskedOutput is zero.',
  reproducible: 'Exact sums, for any number of ranks.',
  foreign: 'Arrays of JavaScript’s own memory.',
};

/** Least times over those of the plain way, at most; null where there is no goal. */
export function goalOf(name: VariantName, work: Work, shape: ShapeName): number | null {
  if (name === 'add and relu') return work === 'forward' && shape === 'A' ? 1.35 : null;
  if (work === 'forward' || shape === 'L') return null;
  if (name === 'reproducible') return REPRODUCIBLE[shape] ?? null;
  return OF_ALL_SHAPES[name] ?? null;
}

const OF_ALL_SHAPES: Partial<Record<VariantName, number>> = {
  bfloat16: 1.9,
  float16: 6,
  foreign: 1.6,
};
const REPRODUCIBLE: Partial<Record<ShapeName, number>> = { B: 1.06, C: 1.15, E: 1.25, F: 2 };

/** Largest error relative to 1 + the value; of 16 bits, that of one rounding. */
export const TOLERANCES: Record<VariantPart, number> = {
  tail: 2e-6,
  halves: 2 ** -8,
  masks: 2e-6,
  reproducible: 2e-6,
  foreign: 2e-6,
};
