/** Public names of `syncbn/models`: tools for layers after training; see docs/layers.md. */

export { readSafetensors, writeSafetensors } from '../files/disk.js';
export type { Metadata } from '../files/header.js';
export {
  decodeSafetensors,
  type EncodeOptions,
  encodeSafetensors,
  type NamedTensors,
  type Safetensors,
  stateOf,
} from '../files/safetensors.js';
export { type Folded, type FoldOptions, foldIntoConvolution } from './fold.js';
export { type Layer, recomputeRunningStatistics } from './recompute.js';
