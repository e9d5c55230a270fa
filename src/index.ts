/** Public names of `syncbn`; see README.md. */

import './features/all.js';

export type { DType, FloatArray, TensorData } from './core/dtype.js';
export {
  CollectiveError,
  DeadlineError,
  MismatchError,
  RankFailedError,
} from './core/errors.js';
export { Parameter, zeroGradients } from './core/parameter.js';
export { Tensor, type TensorLike } from './core/tensor.js';
export type {
  AllReduceOptions,
  BroadcastOptions,
  CollectiveOptions,
} from './group/collective-options.js';
export { ProcessGroup } from './group/process-group.js';
export {
  getGroupRankFromWorldRank,
  getGroupSize,
  getLocalRank,
  getLocalRankSize,
  getProcessGroupRanks,
  getRank,
  getWorldRankFromGroupRank,
} from './group/ranks.js';
export {
  createThreadWorld,
  failThreadWorld,
  type ThreadWorldHandle,
  type ThreadWorldOptions,
} from './group/thread/world.js';
export type {
  Collective,
  CollectiveArray,
  CollectiveKind,
  CopiedArray,
  ReduceOp,
  Transport,
  Work,
  World,
} from './group/transport.js';
export {
  createGroup,
  destroyGroup,
  type GroupLike,
  getGroup,
  type InitOptions,
  init,
  isInitialized,
  release,
  WORLD_GROUP,
} from './group/world.js';
export type { AffineOption, CommonOptions, NonFiniteRule } from './layers/common-options.js';
export {
  type BackwardOptions,
  ForwardContext,
  type Forwarded,
  type ForwardOptions,
} from './layers/context.js';
export {
  GlobalBatchNorm,
  type GlobalBatchNormOptions,
  type InitialValues,
} from './layers/global-batch-norm.js';
export {
  type HeOptions,
  Initializer,
  type InitializerName,
  initializers,
  type NormalOptions,
  type RandomOptions,
  type TruncatedNormalOptions,
  type XavierOptions,
} from './layers/initializers.js';
export type {
  LoadOptions,
  LoadReport,
  StateDict,
  StateDictLike,
  StateNames,
  StateOptions,
} from './layers/state-dict.js';
export {
  type AnySyncBatchNorm,
  SyncBatchNorm,
  type SyncBatchNormOptions,
} from './layers/sync-batch-norm.js';
export { allocateTensor } from './ops/allocate.js';
export {
  type AverageOptions,
  averageGradients,
  type BroadcastParametersOptions,
  broadcastParameters,
  type GradientHolder,
  type SkipOptions,
  type StateHolder,
  skipTogether,
  startAverageGradients,
  startBroadcastParameters,
  startSkipTogether,
} from './parallel/calls.js';
