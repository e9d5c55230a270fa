import type { FloatArray } from './dtype.js';
export function formatTensor(_data: FloatArray, _shape: readonly number[]): string {
  return '';
}
