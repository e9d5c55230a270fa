/**
 * `syncbn/tfjs`: training with TensorFlow.js over all ranks of a world.
 */

export { convertSyncBatchNormalization, revertSyncBatchNormalization } from './layer/convert.js';
export {
  SyncBatchNormalization,
  type SyncBatchNormalizationArgs,
  type SyncOptions,
  syncBatchNormalization,
} from './layer/layer.js';
export {
  type Averaged,
  type AverageMetricsOptions,
  averageMetrics,
  type Metric,
  type Metrics,
} from './metrics.js';
export { type DatasetLike, type ShardOptions, shard } from './shard.js';
export { type DistributeOptions, distribute } from './training/distribute.js';
export { type TrainingStepOptions, trainingStep } from './training/training-step.js';
export { type BroadcastWeightsOptions, broadcastWeights, type WeightHolder } from './weights.js';
