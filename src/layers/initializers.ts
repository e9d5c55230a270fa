/**
 * Initial values of parameters, with MindSpore's names and defaults (`mindspore.common.initializer`).
 *
 * The fan rules want two axes or more. MindSpore's raise for a 1-D parameter such as gamma, though
 * its page for GlobalBatchNorm names them; here a parameter of shape (C) has fan_in = fan_out = C,
 * Keras' rule.
 */

import { formatShape, sizeOf } from '../core/layout.js';
import { Random } from '../core/random.js';

/** Fills an array of a shape; `random` is seeded by the initializer. */
type Fill = (out: Float64Array, shape: readonly number[], random: Random) => void;

/** Makes initial values. Take one of {@link initializers}, or give a `fill` of your own. */
export class Initializer {
  readonly name: string;
  /** Whether the values are drawn; then ranks take those of rank 0. */
  readonly isRandom: boolean;
  /** Of the random ones; undefined: another one each time. */
  readonly seed: number | undefined;
  readonly #fill: Fill;

  constructor(name: string, fill: Fill, options: { isRandom?: boolean; seed?: number } = {}) {
    const { isRandom = false, seed } = options;
    if (seed !== undefined && !Number.isInteger(seed)) {
      throw new TypeError(`initializer ${name}: the seed must be an integer, got ${String(seed)}`);
    }
    this.name = name;
    this.isRandom = isRandom;
    this.seed = seed;
    this.#fill = fill;
  }

  /** Values for an array of `shape`, row major. */
  values(shape: readonly number[]): Float64Array {
    const out = new Float64Array(sizeOf(shape));
    const seed = this.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.#fill(out, shape, new Random(seed));
    return out;
  }

  toString(): string {
    return `Initializer(${this.name})`;
  }
}

/** Options of random initializers. */
export interface RandomOptions {
  /** An integer; without one, other values each time. */
  seed?: number;
}

export interface NormalOptions extends RandomOptions {
  /** Standard deviation. Default 0.01. */
  sigma?: number;
  /** Default 0. */
  mean?: number;
}

export interface TruncatedNormalOptions extends NormalOptions {
  /** Bounds, in standard deviations from the mean. Default -2. */
  a?: number;
  /** Default 2. */
  b?: number;
}

export interface HeOptions extends RandomOptions {
  /** Of the leaky ReLU that follows. Default 0. */
  negativeSlope?: number;
  /** Default 'fan_in'. */
  mode?: 'fan_in' | 'fan_out';
}

export interface XavierOptions extends RandomOptions {
  /** Default 1. */
  gain?: number;
}

/** [fan_in, fan_out]: of (out, in, ...) as for convolutions, and C twice for shape (C). */
function fansOf(shape: readonly number[]): [number, number] {
  if (shape.length === 0) {
    throw new RangeError(`initializer: fans need at least one axis, got ${formatShape(shape)}`);
  }
  if (shape.length === 1) return [shape[0], shape[0]];
  const field = sizeOf(shape.slice(2));
  return [shape[1] * field, shape[0] * field];
}

function drawn(name: string, { seed }: RandomOptions, draw: (shape: readonly number[]) => Draw) {
  const fill: Fill = (out, shape, random) => {
    const next = draw(shape);
    for (let i = 0; i < out.length; i++) out[i] = next(random);
  };
  return new Initializer(name, fill, { isRandom: true, ...(seed !== undefined && { seed }) });
}

type Draw = (random: Random) => number;

const uniformIn =
  (bound: number): Draw =>
  (random) =>
    (2 * random.uniform() - 1) * bound;

const normalWith =
  (sigma: number, mean = 0): Draw =>
  (random) =>
    mean + sigma * random.normal();

/** sqrt(2 / (1 + slope^2)) / sqrt(fan): the deviation of He et al., 2015. */
function heDeviation(shape: readonly number[], options: HeOptions): number {
  const { negativeSlope = 0, mode = 'fan_in' } = options;
  const [fanIn, fanOut] = fansOf(shape);
  return Math.sqrt(2 / (1 + negativeSlope ** 2) / (mode === 'fan_in' ? fanIn : fanOut));
}

/** sqrt(2 / (fan_in + fan_out)): the deviation of Glorot and Bengio, 2010. */
function xavierDeviation(shape: readonly number[]): number {
  const [fanIn, fanOut] = fansOf(shape);
  return Math.sqrt(2 / (fanIn + fanOut));
}

/** The initializers by MindSpore's names; each returns an {@link Initializer}. */
export const initializers = {
  /** The same number everywhere. */
  constant: (value: number) =>
    new Initializer('constant', (out) => {
      out.fill(value);
    }),
  zeros: () => initializers.constant(0),
  ones: () => initializers.constant(1),
  /** N(mean, sigma^2). */
  normal: (options: NormalOptions = {}) =>
    drawn('normal', options, () => normalWith(options.sigma ?? 0.01, options.mean ?? 0)),
  /** U(-scale, scale); scale defaults to 0.07. */
  uniform: (options: RandomOptions & { scale?: number } = {}) =>
    drawn('uniform', options, () => uniformIn(options.scale ?? 0.07)),
  /** N(mean, sigma^2), drawn again outside [a, b] deviations. */
  truncated_normal: (options: TruncatedNormalOptions = {}) => {
    const { sigma = 0.01, mean = 0, a = -2, b = 2 } = options;
    if (!(a < b)) {
      throw new RangeError(`initializer truncated_normal: a must be below b, got ${a} and ${b}`);
    }
    return drawn('truncated_normal', options, () => (random) => {
      for (;;) {
        const value = random.normal();
        if (value >= a && value <= b) return mean + sigma * value;
      }
    });
  },
  /** U(-b, b), b = gain sqrt(6 / (fan_in + fan_out)). */
  xavier_uniform: (options: XavierOptions = {}) =>
    drawn('xavier_uniform', options, (shape) =>
      uniformIn((options.gain ?? 1) * Math.sqrt(3) * xavierDeviation(shape)),
    ),
  /** N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)). */
  xavier_normal: (options: XavierOptions = {}) =>
    drawn('xavier_normal', options, (shape) =>
      normalWith((options.gain ?? 1) * xavierDeviation(shape)),
    ),
  /** U(-b, b), b = sqrt(6 / ((1 + slope^2) fan)). */
  he_uniform: (options: HeOptions = {}) =>
    drawn('he_uniform', options, (shape) => uniformIn(Math.sqrt(3) * heDeviation(shape, options))),
  /** N(0, s^2), s = sqrt(2 / ((1 + slope^2) fan)). */
  he_normal: (options: HeOptions = {}) =>
    drawn('he_normal', options, (shape) => normalWith(heDeviation(shape, options))),
};

/** Names that stand for an initializer with its defaults. */
export type InitializerName = Exclude<keyof typeof initializers, 'constant'>;

/** MindSpore's other spellings. */
const ALIASES: Record<string, InitializerName> = { zero: 'zeros', one: 'ones' };

/** The initializer called `name`. @throws RangeError with the known names */
export function initializerNamed(name: string, what: string): Initializer {
  const known = Object.keys(initializers).filter((key) => key !== 'constant');
  const key = ALIASES[name] ?? name;
  if (!known.includes(key)) {
    throw new RangeError(`${what}: unknown initializer '${name}'; known are ${known.join(', ')}`);
  }
  return initializers[key as InitializerName]();
}
