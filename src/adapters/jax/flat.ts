/** Trees of arrays as one flat array, so that they cross to the other ranks in one piece. */

import { jit, numpy as np, tree } from '@jax-js/jax';
import type { Tree } from './stage.js';

/** All elements of a tree's arrays, in the order of its leaves; shape (n), float32. */
export const flatten = jit((arrays: Tree): np.Array => {
  const leaves = tree.leaves<np.Array>(arrays);
  return np.concatenate(leaves.map((leaf) => leaf.reshape([-1])));
});

/** Makes float32 arrays in the form and on the devices of `like`, from their elements. */
export function unflatten<T extends Tree>(values: Float32Array, like: T): T {
  let at = 0;
  return tree.map(({ shape, size, device }: np.Array) => {
    // jax-js makes no empty array from values.
    if (size === 0) return np.zeros(shape, { device });
    const own = values.slice(at, at + size);
    at += size;
    return np.array(own, { shape, device });
  }, like) as T;
}
