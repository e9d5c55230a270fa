/**
 * Initial values of parameters, with MindSpore's names and defaults (`mindspore.common.initializer`).
 *
 * The fan rules need two axes or more. MindSpore's raise an error for a 1-D parameter such as
 * gamma, though its page for GlobalBatchNorm names them; here a parameter of shape (C) has fan_in =
 * fan_out = C, Keras' rule.
 */

import { checkChoice, checkType } from '../core/checks.js';
import { formatShape, sizeOf } from '../core/layout.js';
import { suggestion } from '../core/nearest.js';
import { checkOptionNames } from '../core/options.js';
import { Random } from '../core/random.js';
import { allocateFor, checkShape } from '../core/shape.js';
import { show, showText } from '../core/show.js';

/** Fills an array of a shape; `random` is seeded by the initializer. */
type Fill = (out: Float64Array, shape: readonly number[], random: Random) => void;

/** Makes initial values. Take one of {@link initializers}, or give a `fill` of your own. */
export class Initializer {
  readonly name: string;
  /** Set if the values are drawn; then ranks take the values of rank 0. */
  readonly isRandom: boolean;
  /** Seed of random values; undefined: a new seed each time. */
  readonly seed: number | undefined;
  readonly #fill: Fill;

  constructor(name: string, fill: Fill, options: { isRandom?: boolean; seed?: number } = {}) {
    if (typeof name !== 'string' || typeof fill !== 'function') {
      throw new TypeError(
        `initializer: expected a name and a function, got ${show(name)} and ${show(fill)}`,
      );
    }
    const what = `initializer ${showText(name)}`;
    checkOptionNames(options, ['isRandom', 'seed'], what);
    const { isRandom = false, seed } = options;
    checkType(isRandom, 'boolean', `${what}: isRandom`);
    if (seed !== undefined && !Number.isInteger(seed)) {
      throw new TypeError(`${what}: the seed must be an integer, got ${show(seed)}`);
    }
    this.name = name;
    this.isRandom = isRandom;
    this.seed = seed;
    this.#fill = fill;
  }

  /** Values for an array of `shape`, row major. */
  values(shape: readonly number[]): Float64Array {
    const what = `initializer ${showText(this.name)}`;
    const sizes = checkShape(shape, what);
    const out = allocateFor(sizes, 'float64', what) as Float64Array;
    const seed = this.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.#fill(out, sizes, new Random(seed));
    return out;
  }

  toString(): string {
    return `Initializer(${this.name})`;
  }
}

/** Options of random initializers. */
export interface RandomOptions {
  /** An integer; without a seed, other values each time. */
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
  /** Slope of the leaky ReLU that follows. Default 0. */
  negativeSlope?: number;
  /** Default 'fan_in'. */
  mode?: 'fan_in' | 'fan_out';
}

export interface XavierOptions extends RandomOptions {
  /** Default 1. */
  gain?: number;
}

/** [fan_in, fan_out]: of (out, in, ...) as for convolutions, and C twice for shape (C). */
function fansOf(shape: readonly number[], name: string): [number, number] {
  if (shape.length === 0) {
    throw new RangeError(
      `initializer ${name}: fans need at least one axis, got ${formatShape(shape)}`,
    );
  }
  if (shape.length === 1) return [shape[0], shape[0]];
  const field = sizeOf(shape.slice(2));
  return [shape[1] * field, shape[0] * field];
}

type Draw = (random: Random) => number;

/** Checks numbers of `options` by name; missing ones are as in `usual`. */
function numbersOf<K extends string>(
  options: object,
  usual: Readonly<Record<K, number>>,
  name: string,
  others: readonly string[] = [],
): Record<K, number> {
  const known = Object.keys(usual) as K[];
  checkOptionNames(options, ['seed', ...known, ...others], `initializer ${name}`);
  const given = options as Partial<Record<K, unknown>>;
  const values = known.map((key) => [
    key,
    checkNumber(given[key] ?? usual[key], key, `initializer ${name}: ${key}`),
  ]);
  return Object.fromEntries(values);
}

/** Names of options that may be infinite: bounds. */
const BOUNDS = ['a', 'b'];

function checkNumber(given: unknown, key: string, what: string): number {
  const value = checkType(given, 'number', what);
  const fits = BOUNDS.includes(key) ? !Number.isNaN(value) : Number.isFinite(value);
  if (!fits || (key === 'sigma' && value < 0)) {
    throw new RangeError(
      `${what} must be ${key === 'sigma' ? 'finite and 0 or more' : 'finite'}, got ${value}`,
    );
  }
  return value;
}

/** Makes a random initializer; `draw` is asked once for each array. */
function drawn(
  name: string,
  { seed }: RandomOptions,
  draw: (shape: readonly number[]) => Draw,
): Initializer {
  const fill: Fill = (out, shape, random) => {
    const next = draw(shape);
    for (let i = 0; i < out.length; i++) out[i] = next(random);
  };
  return new Initializer(name, fill, { isRandom: true, ...(seed !== undefined && { seed }) });
}

const uniformIn =
  (bound: number): Draw =>
  (random) =>
    (2 * random.uniform() - 1) * bound;

const normalWith =
  (sigma: number, mean = 0): Draw =>
  (random) =>
    mean + sigma * random.normal();

/** An initializer of He et al., 2015; the deviation is sqrt(2 / (1 + slope^2)) / sqrt(fan). */
function he(name: string, options: HeOptions, of: (deviation: number) => Draw): Initializer {
  const { negativeSlope } = numbersOf(options, { negativeSlope: 0 }, name, ['mode']);
  const { mode = 'fan_in' } = options;
  checkChoice(mode, ['fan_in', 'fan_out'], `initializer ${name}: mode`);
  return drawn(name, options, (shape) => {
    const [fanIn, fanOut] = fansOf(shape, name);
    const fan = mode === 'fan_in' ? fanIn : fanOut;
    return of(Math.sqrt(2 / fan) / Math.hypot(1, negativeSlope));
  });
}

/** An initializer of Glorot and Bengio, 2010; the deviation is gain sqrt(2 / (fan_in + fan_out)). */
function xavier(name: string, options: XavierOptions, of: (deviation: number) => Draw) {
  const { gain } = numbersOf(options, { gain: 1 }, name);
  return drawn(name, options, (shape) => {
    const [fanIn, fanOut] = fansOf(shape, name);
    return of(gain * Math.sqrt(2 / (fanIn + fanOut)));
  });
}

/** The initializers by MindSpore's names; each returns an {@link Initializer}. */
export const initializers = {
  /** The same number everywhere. */
  constant: (value: number) => {
    checkType(value, 'number', 'initializer constant: the value');
    return new Initializer('constant', (out) => {
      out.fill(value);
    });
  },
  zeros: () => initializers.constant(0),
  ones: () => initializers.constant(1),
  /** N(mean, sigma^2). */
  normal: (options: NormalOptions = {}) => {
    const { sigma, mean } = numbersOf(options, { sigma: 0.01, mean: 0 }, 'normal');
    return drawn('normal', options, () => normalWith(sigma, mean));
  },
  /** U(-scale, scale); scale defaults to 0.07. */
  uniform: (options: RandomOptions & { scale?: number } = {}) => {
    const { scale } = numbersOf(options, { scale: 0.07 }, 'uniform');
    return drawn('uniform', options, () => uniformIn(scale));
  },
  /** N(mean, sigma^2), drawn again outside [a, b] deviations. */
  truncated_normal: (options: TruncatedNormalOptions = {}) => {
    const name = 'truncated_normal';
    const usual = { sigma: 0.01, mean: 0, a: -2, b: 2 };
    const { sigma, mean, a, b } = numbersOf(options, usual, name);
    if (!(a < b)) {
      throw new RangeError(`initializer ${name}: a must be below b, got ${a} and ${b}`);
    }
    return drawn(name, options, () => (random) => mean + sigma * random.truncatedNormal(a, b));
  },
  /** U(-b, b), b = gain sqrt(6 / (fan_in + fan_out)). */
  xavier_uniform: (options: XavierOptions = {}) =>
    xavier('xavier_uniform', options, (deviation) => uniformIn(Math.sqrt(3) * deviation)),
  /** N(0, s^2), s = gain sqrt(2 / (fan_in + fan_out)). */
  xavier_normal: (options: XavierOptions = {}) =>
    xavier('xavier_normal', options, (deviation) => normalWith(deviation)),
  /** U(-b, b), b = sqrt(6 / ((1 + slope^2) fan)). */
  he_uniform: (options: HeOptions = {}) =>
    he('he_uniform', options, (deviation) => uniformIn(Math.sqrt(3) * deviation)),
  /** N(0, s^2), s = sqrt(2 / ((1 + slope^2) fan)). */
  he_normal: (options: HeOptions = {}) =>
    he('he_normal', options, (deviation) => normalWith(deviation)),
};

/** Names that stand for an initializer with its defaults. */
export type InitializerName = Exclude<keyof typeof initializers, 'constant'>;

/** MindSpore's other spellings. */
const ALIASES: Record<string, InitializerName> = { zero: 'zeros', one: 'ones' };

/** The initializer called `name`. @throws RangeError with the known names */
export function initializerNamed(name: string, what: string): Initializer {
  const known = Object.keys(initializers).filter((key) => key !== 'constant');
  const key = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  if (!known.includes(key)) {
    const text = `${what}: unknown initializer '${showText(name)}'; known are ${known.join(', ')}`;
    throw new RangeError(text + suggestion(name, known));
  }
  return initializers[key as InitializerName]();
}
