/** A layer's named tensors as a copy that can be kept, sent and taken over again. */

import { narrow } from '../core/dtype.js';
import { formatShape, sameShape } from '../core/layout.js';
import { Tensor } from '../core/tensor.js';

/** Tensors by name. */
export type StateDict = Record<string, Tensor>;

/** A copy of `state`. */
export function readState(state: StateDict): StateDict {
  return Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, tensor.clone()]));
}

/** Copies `source` into the tensors of `state`; checks everything before it writes anything. */
export function writeState(state: StateDict, source: StateDict, label: string): void {
  if (source === null || typeof source !== 'object') {
    throw new TypeError(`${label}: loadStateDict takes an object of Tensors`);
  }
  const names = Object.keys(state);
  const missing = names.filter((name) => !(name in source));
  const unknown = Object.keys(source).filter((name) => !names.includes(name));
  if (missing.length > 0 || unknown.length > 0) {
    throw new RangeError(
      `${label}: the state must hold ${names.join(', ') || 'nothing'}; ` +
        `missing: ${missing.join(', ') || 'none'}; unknown: ${unknown.join(', ') || 'none'}`,
    );
  }
  for (const name of names) checkEntry(state[name], source[name], `${label}: ${name}`);
  for (const name of names) {
    narrow(source[name].toFloats(), state[name].data, state[name].dtype);
  }
}

function checkEntry(target: Tensor, source: unknown, what: string): void {
  if (!(source instanceof Tensor)) throw new TypeError(`${what} must be a Tensor`);
  if (!sameShape(target.shape, source.shape)) {
    throw new RangeError(
      `${what} must have shape ${formatShape(target.shape)}, got ${formatShape(source.shape)}`,
    );
  }
}
