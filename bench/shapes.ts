/** The shapes of the goals, for each rank, and the goals: ratios to copy and triad. */

import { type Layout, layoutOf } from '../src/core/layout.js';

const SHAPES = {
  A: [32, 64, 56, 56],
  B: [8, 64, 28, 28],
  C: [8, 256, 14, 14],
  D: [2, 64, 56, 56],
  E: [16, 512, 7, 7],
  F: [256, 1024],
  L: [2, 64, 7, 7],
} as const;

export type ShapeName = keyof typeof SHAPES;
export const SHAPE_NAMES = Object.keys(SHAPES) as ShapeName[];

/** The layout of a shape (N, C, +), or of the same sizes with the channels last. */
export function layoutNamed(name: ShapeName, channelsLast: boolean): Layout {
  const [samples, channels, ...rest] = SHAPES[name];
  const shape = channelsLast ? [samples, ...rest, channels] : [samples, channels, ...rest];
  return layoutOf(shape, channelsLast);
}

/** Forward over copy and backward over triad; L in microseconds; null where there is no goal. */
export const GOALS: Record<
  ShapeName,
  { first: readonly [number, number]; last: readonly [number, number] | null }
> = {
  A: { first: [1.25, 1.4], last: [1.7, 1.8] },
  B: { first: [1.5, 1.25], last: [1.85, 1.8] },
  C: { first: [1.5, 1.25], last: [1.85, 1.8] },
  D: { first: [1.5, 1.25], last: [1.85, 1.8] },
  E: { first: [1.85, 1.75], last: [1.85, 1.8] },
  F: { first: [2.8, 1.8], last: null },
  L: { first: [6, 7], last: null },
};
