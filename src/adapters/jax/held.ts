/**
 * The arrays that a step owns. jax-js frees nothing by itself: a step frees all that it makes,
 * however it ends.
 */

import { type numpy as np, tree } from '@jax-js/jax';
import { isArray, type Tree } from './stage.js';

export class Held {
  readonly #trees = new Set<Tree>();

  /** Takes ownership of all arrays in `owned`. */
  hold<T extends Tree>(owned: T): T {
    this.#trees.add(owned);
    return owned;
  }

  /** Gives ownership of a held tree back to the caller. */
  release<T extends Tree>(owned: T): T {
    this.#trees.delete(owned);
    return owned;
  }

  /** Frees a held tree before the step ends. */
  free(owned: Tree): void {
    if (this.#trees.delete(owned)) tree.dispose(owned);
  }

  /** Frees all that is held. */
  dispose(): void {
    // A step may be given anything; only arrays have something to free.
    const leaves = [...this.#trees].flatMap(leavesOf);
    for (const leaf of leaves) if (isArray(leaf)) leaf.dispose();
    this.#trees.clear();
  }
}

/** Leaves of a tree; none of an object that holds itself, which a check has refused. */
function leavesOf(owned: unknown): unknown[] {
  try {
    return tree.leaves<unknown>(owned as Tree);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return Array.isArray(owned) ? owned.flatMap(leavesOf) : [];
  }
}

/**
 * Calls a jitted function with references to `args`, which stay the caller's. A function that
 * throws while it is traced has consumed none of its arguments; the references are taken back.
 */
export function call<A extends Tree[], T>(f: (...args: A) => T, ...args: A): T {
  const arrays = tree.leaves<np.Array>(args);
  const counts = arrays.map((array) => array.refCount);
  try {
    return f(...tree.ref(args));
  } catch (error) {
    arrays.forEach((array, i) => {
      while (array.refCount > counts[i]) array.dispose();
    });
    throw error;
  }
}
