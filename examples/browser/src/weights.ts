/** The network of the demo as plain numbers, in the frameworks' common layout. */

import { initializers } from 'syncbn';
import { CLASSES, SIDE } from '../../digits/dataset.js';

/** Output channels of the two convolutions and of the dense layer. */
export const CHANNELS = [16, 32, 64] as const;
/** Pixels along each side after two poolings. */
const POOLED = SIDE / 4;

/** Shapes of what is trained beside the normalizations: height, width, in, out; and in, out. */
export const SHAPES = {
  conv1: [3, 3, 1, CHANNELS[0]],
  conv2: [3, 3, CHANNELS[0], CHANNELS[1]],
  dense1: [POOLED * POOLED * CHANNELS[1], CHANNELS[2]],
  dense2: [CHANNELS[2], CLASSES],
} as const;

/** One normalization in inference; one number a channel. */
export interface NormWeights {
  readonly weight: Float32Array;
  readonly bias: Float32Array;
  readonly mean: Float32Array;
  readonly variance: Float32Array;
}

export interface Weights {
  readonly conv1: Float32Array;
  readonly conv2: Float32Array;
  readonly dense1: Float32Array;
  readonly dense2: Float32Array;
  /** Of the last dense layer. */
  readonly bias: Float32Array;
  readonly norms: readonly NormWeights[];
}

/** N(0, 2 / fan_in), the fan being all axes but the last, as in examples/digits/model.ts. */
export function initialKernel(name: keyof typeof SHAPES, seed: number): Float32Array {
  const shape = [...SHAPES[name]];
  const fan = shape.slice(0, -1).reduce((product, size) => product * size, 1);
  const own = seed + Object.keys(SHAPES).indexOf(name);
  const values = initializers.normal({ sigma: Math.sqrt(2 / fan), seed: own }).values(shape);
  return Float32Array.from(values);
}
