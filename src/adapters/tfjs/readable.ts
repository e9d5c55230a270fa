/** Backends whose tensors can be read while a step runs, as ranks that meet must do. */

import { getBackend } from '@tensorflow/tfjs-core';
import type { ProcessGroup } from '../../group/process-group.js';

export const UNREADABLE = "TensorFlow.js' webgpu backend cannot be read while a step runs";

/** False on webgpu, where Node throws and Chromium without a GPU reads zeros. */
export function isReadable(): boolean {
  return getBackend() !== 'webgpu';
}

/** @throws Error if the group has several ranks, and this rank's backend cannot be read */
export function checkReadable({ size }: ProcessGroup, label: string): void {
  if (size === 1 || isReadable()) return;
  throw new Error(
    `${label}: ${UNREADABLE}, so ${size} ranks cannot train on it; use wasm or cpu, or webgl in ` +
      'workers',
  );
}
