/** Kernels of TensorFlow.js' wasm backend, written with its public methods alone. */

import {
  engine,
  type KernelBackend,
  type Tensor,
  type TensorInfo,
  tidy,
} from '@tensorflow/tfjs-core';

/** The part of the wasm backend that kernels use. */
export interface WasmBackend extends KernelBackend {
  makeOutput(shape: number[], dtype: TensorInfo['dtype']): TensorInfo;
  /** Views a tensor's values; the next allocation may move the memory. */
  typedArrayFromHeap(info: TensorInfo): Float32Array | Int32Array | Uint8Array;
}

/** Arguments that TensorFlow.js calls a kernel with. */
export interface KernelCall<Inputs extends object, Attributes> {
  readonly inputs: { readonly [K in keyof Inputs]: TensorInfo };
  readonly attrs: Attributes;
  readonly backend: WasmBackend;
}

export type Kernel<Inputs extends object, Attributes> = (
  call: KernelCall<Inputs, Attributes>,
) => TensorInfo;

/** A kernel's inputs as tensors. */
type Tensors<Inputs> = { readonly [K in keyof Inputs]: Tensor };

/**
 * Makes a kernel of TensorFlow.js' operations: `compute` gets the inputs as tensors, and its
 * intermediate tensors are freed.
 */
export function composed<Inputs extends object, Attributes>(
  compute: (inputs: Tensors<Inputs>, attrs: Attributes) => Tensor,
): Kernel<Inputs, Attributes> {
  return ({ inputs, attrs, backend }) =>
    tidy(() => {
      const borrowed = Object.entries<TensorInfo>(inputs).map(([name, info]) => [
        name,
        borrow(info, backend),
      ]);
      return compute(Object.fromEntries(borrowed), attrs);
    });
}

/** A tensor over the values of `info`, which outlive it. */
function borrow(info: TensorInfo, backend: WasmBackend): Tensor {
  backend.incRef(info.dataId);
  return engine().makeTensorFromTensorInfo(info, backend);
}

/** The values of a float32 tensor, in the backend's memory. */
export function floatsOf(backend: WasmBackend, info: TensorInfo): Float32Array {
  return backend.typedArrayFromHeap(info) as Float32Array;
}
