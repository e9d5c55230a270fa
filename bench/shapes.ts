/** The shapes of the goals, for each rank, and the goals: ratios to copy and triad. */

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

/** One layer's input: the same numbers wherever it is made. */
export interface Task {
  readonly shape: ShapeName;
  readonly channelsLast: boolean;
  readonly dtype: 'float32' | 'float64';
  /** Mean of x, in standard deviations. */
  readonly mean: number;
}

/** A shape (N, C, +), or the same sizes with the channels last. */
export function shapeNamed(name: ShapeName, channelsLast: boolean): number[] {
  const [samples, channels, ...rest] = SHAPES[name];
  return channelsLast ? [samples, ...rest, channels] : [samples, channels, ...rest];
}

/** The layouts that a shape is measured in. F has no plane, and L is all overhead in either. */
export function layoutsOf(name: ShapeName): readonly boolean[] {
  return name === 'F' || name === 'L' ? [false] : [false, true];
}

/**
 * Of two ranks and more in float32: forward over copy and backward over triad; L in microseconds;
 * null where there is no goal.
 */
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
