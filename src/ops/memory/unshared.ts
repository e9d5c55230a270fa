/**
 * The kernels for tensors outside the kernels' memory: the same code over a memory of their own, to
 * and from which copies are fast. Part of `syncbn/unshared`.
 */

import type { TensorData } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import { WasmKernels } from '../../kernels/wasm/kernels.js';
import { unsharedEngine } from '../../kernels/wasm/unshared.js';
import type { Kernels } from '../kernels.js';
import { reserve } from './scratch.js';

/** Least bytes of a tensor for which other kernels are chosen: they must be told of statistics. */
const LEAST = 64 << 10;

/** The kernels for stages that read and write these tensors and no others. */
export function kernelsOver(
  kernels: Kernels,
  { channels }: Layout,
  a: TensorData,
  b: TensorData,
  c = a,
): Kernels {
  if (a.byteLength < LEAST) return kernels;
  if (kernels.isNear(a) || kernels.isNear(b) || kernels.isNear(c)) return kernels;
  return besides(kernels, channels);
}

/** By the kernels that they stand beside; those themselves if there is no second memory. */
const others = new WeakMap<Kernels, Kernels>();

/** Kernels for layers of `channels` channels: `kernels` themselves if memory is short. */
export function besides(kernels: Kernels, channels: number): Kernels {
  let other = others.get(kernels);
  if (other === undefined) {
    other = make(kernels);
    others.set(kernels, other);
  }
  if (other === kernels) return kernels;
  try {
    // No stage may run out of memory between two collectives.
    reserve(other, channels, 1);
    return other;
  } catch {
    return kernels;
  }
}

function make(kernels: Kernels): Kernels {
  if (!(kernels instanceof WasmKernels)) return kernels;
  try {
    return new WasmKernels(unsharedEngine(kernels.name === 'wasm-relaxed'));
  } catch {
    return kernels;
  }
}
