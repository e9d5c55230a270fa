/** The same weights on every rank. */

import { type Tensor, tensor, Variable } from '@tensorflow/tfjs-core';
import { checkOptionNames } from '../../core/options.js';
import { show } from '../../core/show.js';
import type { ProcessGroup } from '../../group/process-group.js';
import { findGroup, type GroupLike } from '../../group/world.js';
import { tellingErrors, waitFor } from './peers.js';
import { checkReadable } from './readable.js';

/** A model, a layer, or the user's own variables. */
export type WeightHolder =
  | { readonly weights: readonly { read(): Tensor }[] }
  | readonly (Variable | Tensor)[];

export interface BroadcastWeightsOptions {
  /** Ranks that take part. Default: the world. */
  group?: GroupLike;
  /** Group rank whose weights all ranks get. Default 0. */
  root?: number;
}

const LABEL = 'broadcastWeights';

/**
 * Copies the root's weights, moving statistics included, to every rank of the group, each of which
 * calls it. `distribute(model)` and `fit` do so by themselves.
 * @param holder a model, a layer, or a list of variables; of the same shapes on every rank
 * @throws TypeError for anything else; RangeError for a root that is not in the group
 */
export function broadcastWeights(
  holder: WeightHolder,
  options: BroadcastWeightsOptions = {},
): void {
  checkOptionNames(options, ['group', 'root'], LABEL);
  const { group: groupLike, root = 0 } = options;
  const group = findGroup(groupLike, LABEL);
  const variables = tellingErrors(group, LABEL, () => {
    group.checkRoot(root, LABEL);
    return variablesOf(holder);
  });
  broadcastVariables(variables, group, root, LABEL);
}

/** The variables behind the weights of a model, or of a list. */
export function variablesOf(holder: WeightHolder): Variable[] {
  const list: unknown = Array.isArray(holder)
    ? holder
    : (holder as { weights?: unknown } | null | undefined)?.weights;
  if (!Array.isArray(list)) {
    throw new TypeError(
      `${LABEL}: expected a model, a layer or a list of variables, got ${show(holder)}`,
    );
  }
  return list.map((given: unknown) => {
    const { read } = (given ?? {}) as { read?: unknown };
    const variable: unknown = typeof read === 'function' ? read.call(given) : given;
    if (variable instanceof Variable) return variable;
    throw new TypeError(`${LABEL}: expected variables, got ${show(variable)}`);
  });
}

/** Copies the root's values in one broadcast. */
export function broadcastVariables(
  variables: readonly Variable[],
  group: ProcessGroup,
  root: number,
  label: string,
): void {
  if (group.size === 1) return;
  tellingErrors(group, label, () => checkReadable(group, label));
  const length = variables.reduce((sum, { size }) => sum + size, 0);
  // Integers do not all fit into float32.
  const isFloat = variables.every(({ dtype }) => dtype === 'float32');
  const flat = isFloat ? new Float32Array(length) : new Float64Array(length);
  let at = 0;
  for (const variable of variables) {
    flat.set(variable.dataSync(), at);
    at += variable.size;
  }
  const shapes = digest(variables.map(({ shape, dtype }) => `${dtype} ${shape}`).join());
  const what = `${label} (${variables.length} arrays, shapes ${shapes})`;
  waitFor<unknown>(group, group.broadcast(flat, { root, label: what }));
  if (group.rank === root) return;
  at = 0;
  for (const variable of variables) {
    assign(variable, flat.subarray(at, at + variable.size));
    at += variable.size;
  }
}

function assign(variable: Variable, values: Float32Array | Float64Array): void {
  const { shape, dtype } = variable;
  const copy = dtype === 'float32' ? Float32Array.from(values) : Int32Array.from(values);
  const value = tensor(copy, shape, dtype);
  // `write` would apply constraints, and refuse weights that are not trainable.
  variable.assign(value);
  value.dispose();
}

/** FNV-1a of a text, in hexadecimal, for ranks to compare their shapes by. */
function digest(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return (hash >>> 0).toString(16);
}
