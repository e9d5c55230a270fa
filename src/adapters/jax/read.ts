/** Reading arrays inside a step; see shared/drive.ts. */

import type { numpy as np } from '@jax-js/jax';
import type { Work } from '../../group/transport.js';
import { result, type Steps } from '../shared/drive.js';

/** Reads the values of a float32 array, which is consumed. */
export function read(array: np.Array): Steps<Float32Array> {
  return result(valuesOf(array) as Work<Float32Array>);
}

function valuesOf(array: np.Array): Work<unknown> {
  return {
    wait() {
      if (array.device !== 'webgpu') return array.dataSync();
      array.dispose();
      throw new Error("wait: arrays on jax-js' webgpu device cannot be read at once; await done()");
    },
    done: () => array.data(),
  };
}
