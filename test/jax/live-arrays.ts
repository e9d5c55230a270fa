/** Counts the arrays that live on a device of jax-js. */

import { type Device, numpy as np } from '@jax-js/jax';

/**
 * A function that counts them. jax-js has no public count; its table of buffers, the Map that a new
 * array enters, is found by watching one being made.
 */
export function liveArrayCounter(device: Device = 'wasm'): () => number {
  const set = Map.prototype.set;
  let table: Map<unknown, unknown> | undefined;
  Map.prototype.set = function (key, value) {
    const place = value?.ptr ?? value?.buffer;
    if (place !== undefined && value.ref !== undefined) table = this;
    return set.call(this, key, value);
  };
  try {
    np.array(new Float32Array(4096), { device }).dispose();
  } finally {
    Map.prototype.set = set;
  }
  if (table === undefined) throw new Error('jax-js keeps its buffers in another way now');
  const found = table;
  return () => found.size;
}
