/**
 * `syncbn/jax`: synchronized batch normalization in networks of jax-js. A network is written once,
 * as stages and layers; it gives loss and gradients over all ranks.
 */

export { Again, again } from './again.js';
export { type BroadcastTreeOptions, broadcastTree } from './broadcast.js';
export { convolve, maxPool, type Padding } from './convolution.js';
export {
  type Batch,
  type Layers,
  Network,
  type NetworkOptions,
  network,
  type ParametersOf,
  type StepOptions,
} from './network.js';
export { Stage, type StageResult, stage, type Tree } from './stage.js';
export type { LossAndGradients } from './training-step.js';
