/** Checks of a network's layers, options and arguments. */

import { type numpy as np, tree } from '@jax-js/jax';
import { formatShape } from '../../core/layout.js';
import { suggestion } from '../../core/nearest.js';
import { checkOptionNames } from '../../core/options.js';
import { show, showText } from '../../core/show.js';
import { ProcessGroup } from '../../group/process-group.js';
import { BatchNorm } from '../../layers/batch-norm.js';
import { ownName, partsOf } from '../../layers/parts.js';
import { Again, type Placed } from './again.js';
import { describe, type Flow, isArray, Stage, type Tree } from './stage.js';

/** Returns the name of a network. Throws unless it can be made of `layers` and `options`. */
export function checkEntries(layers: unknown, options: unknown): string {
  checkOptionNames(options, ['loss', 'masks', 'processGroup', 'name'], 'network');
  const { loss, name: given = 'network', processGroup } = options as Record<string, unknown>;
  if (typeof given !== 'string') {
    throw new TypeError(`network: name must be a string, got ${show(given)}`);
  }
  if (given === '') throw new RangeError("network: name must not be empty, got ''");
  const name = showText(given);
  if (typeof loss !== 'function') {
    throw new TypeError(
      `${name}: loss must be a function that returns the mean loss, got ${show(loss)}`,
    );
  }
  const isGroup = typeof processGroup === 'string' || processGroup instanceof ProcessGroup;
  if (processGroup != null && !isGroup) {
    throw new TypeError(
      `${name}: processGroup must be a name or a ProcessGroup, got ${show(processGroup)}`,
    );
  }
  if (typeof layers !== 'object' || layers === null) {
    throw new TypeError(`${name}: expected an object of stages and layers, got ${show(layers)}`);
  }
  const { masks = {} } = options as { masks?: Record<string, unknown> };
  for (const [key, mask] of Object.entries(masks)) {
    if (typeof mask !== 'function') {
      throw new TypeError(`${name}: the mask of '${key}' must be a function of the carry`);
    }
    if (!((layers as Record<string, unknown>)[key] instanceof BatchNorm)) {
      throw new RangeError(`${name}: a mask is of a normalisation, and '${key}' is none`);
    }
  }
  const seen = new Map<unknown, string>();
  const earlier: string[] = [];
  for (const [key, layer] of Object.entries(layers)) {
    checkEntry(key, layer, name);
    if (layer instanceof Again) {
      checkAgain(key, layer, earlier, name);
      continue;
    }
    earlier.push(key);
    const first = seen.get(layer);
    if (first !== undefined && layer instanceof BatchNorm) {
      throw new RangeError(
        `${name}: '${first}' and '${key}' are one layer; write again('${first}') for '${key}' to ` +
          'run it twice',
      );
    }
    seen.set(layer, key);
  }
  return name;
}

/** Throws unless there is an earlier place to run again. */
function checkAgain(key: string, again: Again, earlier: readonly string[], name: string): void {
  if (typeof again.name !== 'string') {
    throw new TypeError(`${name}: again takes the name of a place, got ${show(again.name)}`);
  }
  if (earlier.includes(again.name)) return;
  throw new RangeError(
    `${name}: '${key}' runs '${showText(again.name)}' again, and before it are ` +
      `${earlier.join(', ') || 'none'}${suggestion(again.name, earlier)}`,
  );
}

function checkEntry(key: string, layer: unknown, name: string): void {
  // JavaScript puts such keys first, wherever they were written.
  if (/^\d+$/.test(key)) {
    throw new RangeError(`${name}: a layer needs a name that is not a number, got '${key}'`);
  }
  if (layer instanceof Stage || layer instanceof Again) return;
  if (!(layer instanceof BatchNorm)) {
    throw new TypeError(
      `${name}: '${key}' must be a stage, a SyncBatchNorm or a GlobalBatchNorm, got ${describe(layer)}`,
    );
  }
  if (layer.dtype !== 'float32') {
    throw new RangeError(`${name}: '${key}' has dtype ${layer.dtype}; jax-js computes in float32`);
  }
  if (partsOf(layer).synchronization.reproducible) {
    throw new RangeError(
      `${name}: '${key}' cannot be reproducible; jax-js' own sums depend on how a batch is split`,
    );
  }
}

/** Throws unless `parameters` has an entry for each of `owners`, of float32 arrays, and a layer's own. */
export function checkParameters(
  parameters: unknown,
  owners: readonly Placed<Stage | BatchNorm>[],
  name: string,
): asserts parameters is Record<string, Tree> {
  if (typeof parameters !== 'object' || parameters === null || isArray(parameters)) {
    throw new TypeError(`${name}: the parameters must be an object, got ${describe(parameters)}`);
  }
  const names = owners.map(([place]) => place);
  const missing = names.filter((key) => !(key in parameters));
  const unknown = Object.keys(parameters).filter((key) => !names.includes(key));
  if (missing.length > 0 || unknown.length > 0) {
    throw new TypeError(
      `${name}: the parameters must hold ${names.join(', ')}; ` +
        `missing: ${missing.join(', ') || 'none'}; unknown: ${unknown.join(', ') || 'none'}`,
    );
  }
  for (const [key, own] of Object.entries(parameters)) {
    checkFloat32(own, `${name}: '${key}' must have`);
  }
  for (const [place, layer] of owners) {
    if (layer instanceof BatchNorm)
      checkOwn((parameters as Record<string, Tree>)[place], layer, `${name}: '${place}'`);
  }
}

/** Throws unless `own` has the parameters of `layer`, in their shapes, and no others. */
function checkOwn(own: unknown, layer: BatchNorm, what: string): void {
  const wanted = layer.parameters().map((parameter) => {
    return `${ownName(parameter)} ${formatShape(parameter.data.shape)}`;
  });
  const entries = isArray(own) ? [] : Object.entries((own ?? {}) as Record<string, unknown>);
  const given = entries.map(([part, array]) => {
    return `${part} ${isArray(array) ? formatShape(array.shape) : describe(array)}`;
  });
  if (wanted.toSorted().join() === given.toSorted().join()) return;
  throw new RangeError(
    `${what} must hold ${wanted.join(' and ') || 'nothing'}, ` +
      `got ${showText(given.join(' and ')) || 'nothing'}`,
  );
}

/** @throws TypeError for an object that holds itself, without leaves; `what` opens the message */
export function checkTree(arrays: unknown, what: string): void {
  leavesOf(arrays, what);
}

function leavesOf(arrays: unknown, what: string): unknown[] {
  try {
    return tree.leaves<unknown>(arrays as Tree);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TypeError(`${what} float32 arrays, got an object that holds itself`);
  }
}

/** @throws TypeError unless all leaves are float32 arrays; `what` opens the message */
export function checkFloat32(arrays: unknown, what: string): void {
  const wrong = leavesOf(arrays, what).filter((leaf) => !isFloat32(leaf));
  if (wrong.length === 0) return;
  throw new TypeError(`${what} float32 arrays, got ${describe(wrong[0])}`);
}

function isFloat32(leaf: unknown): boolean {
  return isArray(leaf) && leaf.dtype === 'float32';
}

/** The flow that a batch starts. @throws TypeError for a batch without samples on an axis */
export function flowOf(batch: unknown, name: string): Flow {
  const { x, carry = [] } = (isArray(batch) ? { x: batch } : (batch ?? {})) as {
    x?: np.Array;
    carry?: Tree;
  };
  if (!isArray(x) || x.ndim === 0) {
    throw new TypeError(
      `${name}: the batch must be an array with samples on its first axis, or { x, carry }, ` +
        `got ${describe(batch)}`,
    );
  }
  checkTree(carry, `${name}: the carry must hold`);
  return { x, carry };
}
