/**
 * `syncbn/tfjs/wasm-gradients`: the kernels that TensorFlow.js' wasm backend lacks for training, or
 * has in a slow form. Needs `@tensorflow/tfjs-core` alone, and no other ranks.
 */

import {
  BatchMatMul,
  Conv2DBackpropFilter,
  Conv2DBackpropInput,
  DepthwiseConv2dNativeBackpropFilter,
  DepthwiseConv2dNativeBackpropInput,
  findBackendFactory,
  getKernel,
  type KernelConfig,
  type KernelFunc,
  MaxPoolGrad,
  registerKernel,
  UnsortedSegmentSum,
  unregisterKernel,
  version_core,
} from '@tensorflow/tfjs-core';
import { convFilterGradient } from './conv-filter.js';
import { convInputGradient } from './conv-input.js';
import { depthwiseFilterGradient, depthwiseInputGradient } from './depthwise.js';
import { transposingMatMul } from './mat-mul.js';
import { maxPoolGradient } from './max-pool.js';
import { segmentSum } from './segment-sum.js';

/** A kernel of ours, or one around the backend's own. */
type Replacement = (own: never) => (call: never) => unknown;

/** Kernels that the backend lacks; if a newer backend has them, its own stay. */
const MISSING: Record<string, Replacement> = {
  [Conv2DBackpropFilter]: () => convFilterGradient,
  [DepthwiseConv2dNativeBackpropFilter]: () => depthwiseFilterGradient,
  [DepthwiseConv2dNativeBackpropInput]: () => depthwiseInputGradient,
  [UnsortedSegmentSum]: () => segmentSum,
};

/** Kernels that the backend has, many times slower; replaced in the versions that were measured. */
const SLOW: Record<string, Replacement> = {
  [Conv2DBackpropInput]: convInputGradient,
  [BatchMatMul]: transposingMatMul,
  [MaxPoolGrad]: () => maxPoolGradient,
};

const BACKEND = 'wasm';

let undo: (() => void) | null = null;

/**
 * Registers gradient kernels for the wasm backend of TensorFlow.js, so that convolutional networks
 * and embeddings train on it: it lacks filters' gradients of (depthwise) convolutions and the
 * gradient of gather, and gets faster kernels for inputs' gradients, max pooling and dense layers.
 * Import `@tensorflow/tfjs-backend-wasm` first, before or after `setBackend`. Calling it again is
 * harmless.
 *
 * | gradient | made as |
 * |---|---|
 * | filter of a convolution | convolution of x with dy as the filter, strides as dilations |
 * | input of a convolution | convolution of dy, spread out, with the flipped filter |
 * | dense layers | transposed, then multiplied |
 * | all other | loops over the backend's memory |
 * @returns a function that puts the backend's own kernels back
 * @throws Error if the wasm backend has not been imported
 */
export function registerWasmGradients(): () => void {
  if (findBackendFactory(BACKEND) == null) {
    throw new Error(
      "registerWasmGradients: import '@tensorflow/tfjs-backend-wasm' first; it is not loaded, or " +
        'belongs to another copy of @tensorflow/tfjs-core (see npm ls @tensorflow/tfjs-core)',
    );
  }
  undo ??= registerAll();
  return undo;
}

function registerAll(): () => void {
  const replaced = Object.entries({ ...MISSING, ...SLOW })
    .filter(([name]) => isWanted(name))
    .map(([name, replacement]) => replace(name, replacement));
  return () => {
    for (const restore of replaced.splice(0)) restore();
    undo = null;
  };
}

function isWanted(name: string): boolean {
  const own: KernelConfig | undefined = getKernel(name, BACKEND);
  if (name in MISSING) return own === undefined;
  return own !== undefined && version_core.startsWith('4.');
}

/** Registers a kernel in place of the backend's own. @returns a function that puts that one back */
function replace(kernelName: string, replacement: Replacement): () => void {
  const own: KernelConfig | undefined = getKernel(kernelName, BACKEND);
  const kernelFunc = replacement(own?.kernelFunc as never) as unknown as KernelFunc;
  // The backend's own kernel still handles calls that ours does not take: it must be set up, too.
  const config = { ...own, kernelName, backendName: BACKEND, kernelFunc };
  if (own !== undefined) unregisterKernel(kernelName, BACKEND);
  registerKernel(config);
  return () => {
    if (getKernel(kernelName, BACKEND) !== config) return;
    unregisterKernel(kernelName, BACKEND);
    if (own !== undefined) registerKernel(own);
  };
}
