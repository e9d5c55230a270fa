/** The shapes of the goals, for each rank, and the goals of layers. */

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

/** The most that forward and backward may take, in one layout. */
type Goals = Readonly<
  Partial<Record<ShapeName, { first?: readonly number[]; last?: readonly number[] }>>
>;

/** Of two ranks and more in float32: forward over copy and backward over triad; L in microseconds. */
export const LIMIT_GOALS: Goals = {
  A: { first: [1.25, 1.4], last: [1.7, 1.8] },
  L: { first: [6, 7] },
};

/** Of two ranks and more in float32: forward and backward over C's loops. */
export const C_GOALS: Goals = {
  A: { last: [1.15] },
  B: { first: [1.2, 1.1], last: [1.25, 1.2] },
  C: { first: [1.2, 1.1], last: [1.25, 1.2] },
  D: { first: [1.2, 1.05], last: [1.25, 1.2] },
  E: { first: [1.4, 1.3] },
  F: { first: [1.6, 1.4] },
};
