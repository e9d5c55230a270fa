/** Reading arrays inside a step; see shared/drive.ts. */

import { getWebGPUDevice, type numpy as np } from '@jax-js/jax';
import { describeError } from '../../core/errors.js';
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
    done: () => (array.device === 'webgpu' ? valuesFromGpu(array) : array.data()),
  };
}

/** A device that is lost rejects without a word of it. */
async function valuesFromGpu(array: np.Array): Promise<unknown> {
  try {
    return await array.data();
  } catch (cause) {
    const lost = await Promise.race([getWebGPUDevice().lost, null]);
    const why =
      lost === null ? describeError(cause) : `it is lost (${lost.reason}: ${lost.message})`;
    throw new Error(`jax-js' webgpu device cannot be read: ${why}`, { cause });
  }
}
