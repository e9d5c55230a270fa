/**
 * A layer's named tensors as a copy that can be kept, sent and loaded again. Its tensors have
 * `shape`, `dtype` and `data` as plain properties, so `structuredClone`, `postMessage`,
 * `v8.serialize` and JSON keep all numbers, and the result can be loaded.
 */

import { checkChoice, checkType } from '../core/checks.js';
import { narrow } from '../core/dtype.js';
import { formatShape, sameShape } from '../core/layout.js';
import { checkOptionNames } from '../core/options.js';
import { Tensor, type TensorLike } from '../core/tensor.js';

/** Tensors by name. */
export type StateDict = Record<string, Tensor>;

/** A state as it comes out of a clone, a message or JSON. */
export type StateDictLike = Readonly<Record<string, TensorLike>>;

/** Names of a state: this package's, or another package's; see docs/migrating.md. */
export type StateNames = 'own' | 'pytorch' | 'keras';
const STATE_NAMES: readonly StateNames[] = ['own', 'pytorch', 'keras'];

export interface StateOptions {
  /** Default 'own'. */
  names?: StateNames;
}

export interface LoadOptions extends StateOptions {
  /** If true (default), names must be exactly those of the layer. */
  strict?: boolean;
}

/** Names of a state that did not match a layer's. */
export interface LoadReport {
  missing: string[];
  unexpected: string[];
}

/** Names of the tensors: weight, bias, mean, variance, and the number of batches. */
const NAMES = {
  pytorch: ['weight', 'bias', 'running_mean', 'running_var', 'num_batches_tracked'],
  keras: ['gamma', 'beta', 'moving_mean', 'moving_variance'],
} as const;
const PLACES: Readonly<Record<string, number>> = {
  weight: 0,
  gamma: 0,
  bias: 1,
  beta: 1,
  runningMean: 2,
  movingMean: 2,
  runningVar: 3,
  movingVariance: 3,
  numBatchesTracked: 4,
};

/** A layer's tensors by another package's names; tensors without such a name are left out. */
function named(state: StateDict, names: StateNames): StateDict {
  if (names === 'own') return state;
  const theirs = Object.entries(state).map(([name, tensor]) => [
    NAMES[names][PLACES[name]],
    tensor,
  ]);
  return Object.fromEntries(theirs.filter(([name]) => name !== undefined));
}

/** A copy of `state`. */
export function readState(state: StateDict, options: StateOptions, label: string): StateDict {
  checkOptionNames(options, ['names'], label);
  const { names = 'own' } = options;
  checkChoice(names, STATE_NAMES, `${label}: names`);
  const tensors = Object.entries(named(state, names));
  return Object.fromEntries(tensors.map(([name, tensor]) => [name, tensor.clone()]));
}

/** Copies `source` into the tensors of `state`; checks everything before it writes anything. */
export function writeState(
  state: StateDict,
  source: StateDictLike,
  options: LoadOptions,
  label: string,
): LoadReport {
  if (source === null || typeof source !== 'object') {
    throw new TypeError(`${label}: loadStateDict takes an object of Tensors`);
  }
  checkOptionNames(options, ['names', 'strict'], label);
  const { names = 'own', strict = true } = options;
  checkType(strict, 'boolean', `${label}: strict`);
  checkChoice(names, STATE_NAMES, `${label}: names`);
  const own = named(state, names);
  const known = Object.keys(own);
  const missing = known.filter((name) => !Object.hasOwn(source, name));
  const unexpected = Object.keys(source).filter((name) => !known.includes(name));
  if (strict && (missing.length > 0 || unexpected.length > 0)) {
    throw new RangeError(
      `${label}: the state must hold ${known.join(', ') || 'nothing'}; ` +
        `missing: ${missing.join(', ') || 'none'}; unknown: ${unexpected.join(', ') || 'none'}`,
    );
  }
  const taken = known
    .filter((name) => !missing.includes(name))
    .map((name) => [own[name], checkEntry(own[name], source[name], `${label}: ${name}`)] as const);
  for (const [target, values] of taken) narrow(values, target.data, target.dtype);
  return { missing, unexpected };
}

/** Checks an entry and returns its numbers. */
function checkEntry(target: Tensor, source: unknown, what: string): ArrayLike<number> {
  let tensor: Tensor;
  try {
    tensor = Tensor.of(source as TensorLike);
  } catch (error) {
    throw new TypeError(`${what} must be a Tensor, or a clone of one: ${(error as Error).message}`);
  }
  // The number of batches: frameworks keep it in an axis of its own, or without axes.
  const fits = target.shape.length === 0 ? tensor.data.length === 1 : null;
  if (!(fits ?? sameShape(target.shape, tensor.shape))) {
    throw new RangeError(
      `${what} must have shape ${formatShape(target.shape)}, got ${formatShape(tensor.shape)}`,
    );
  }
  const values = tensor.toFloats();
  if (fits && !(Number.isSafeInteger(values[0]) && values[0] >= 0)) {
    throw new RangeError(`${what} must be an integer of 0 or more, got ${values[0]}`);
  }
  return values;
}
