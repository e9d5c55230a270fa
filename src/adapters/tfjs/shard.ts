/** `shard`: this rank's part of the data. */

import { gather, range, slice, Tensor, tidy } from '@tensorflow/tfjs-core';
import { checkOptionNames } from '../../core/options.js';
import { show } from '../../core/show.js';
import { getGroupSize, getRank } from '../../group/ranks.js';
import { mapLeaves, type Nested } from './samples.js';

/** The part of `tf.data.Dataset` that is needed here. */
export interface DatasetLike {
  readonly size?: number;
  iterator(): Promise<{ next(): Promise<IteratorResult<unknown>> }>;
}

/** Iterator of a dataset. */
interface LazyIterator {
  next(): Promise<IteratorResult<unknown>>;
  /** Disposes the elements that it leaves out. */
  filter(predicate: () => boolean): LazyIterator;
}

export interface ShardOptions {
  /** Number of the part: 0 to `size` - 1. Default: this rank. */
  index?: number;
  /** Number of parts. Default: the number of ranks. */
  size?: number;
}

const LABEL = 'shard';

/**
 * Every `size`-th element of a dataset, from the `index`-th on; of tensors every `size`-th sample.
 * Shard before `batch`, and before `shuffle`, whose order differs between ranks. Parts differ by at
 * most one element, which `distribute` weighs exactly.
 * @param data a `tf.data` dataset; or a tensor or tensors in lists and objects, which stay the
 *   caller's: the parts are new tensors
 * @throws TypeError for other data; RangeError for an index that is not below the size
 */
export function shard<T extends DatasetLike>(data: T, options?: ShardOptions): T;
export function shard<T extends Nested<Tensor>>(data: T, options?: ShardOptions): T;
export function shard(data: DatasetLike | Nested<Tensor>, options: ShardOptions = {}): unknown {
  checkOptionNames(options, ['index', 'size'], LABEL);
  const { index = getRank(), size = getGroupSize() } = options;
  if (!Number.isInteger(size) || !Number.isInteger(index) || index < 0 || index >= size) {
    throw new RangeError(
      `${LABEL}: expected part 0 to size - 1, got ${show(index)} of ${show(size)}`,
    );
  }
  if (isDataset(data)) return shardDataset(data, index, size);
  const part = (x: Tensor) => shardTensor(x, index, size);
  return mapLeaves(data, part);
}

function isDataset(data: unknown): data is DatasetLike {
  return typeof (data as Partial<DatasetLike> | null)?.iterator === 'function';
}

function shardDataset<T extends DatasetLike>(dataset: T, index: number, size: number): T {
  const whole = dataset.size;
  const isCounted = typeof whole === 'number' && Number.isFinite(whole);
  return Object.create(dataset, {
    size: { value: isCounted ? Math.max(0, Math.ceil((whole - index) / size)) : whole },
    iterator: {
      value: async () => {
        let at = 0;
        const all = (await dataset.iterator()) as LazyIterator;
        return all.filter(() => at++ % size === index);
      },
    },
  });
}

function shardTensor(x: Tensor, index: number, size: number): Tensor {
  if (!(x instanceof Tensor) || x.rank === 0) {
    const got = x instanceof Tensor ? 'a scalar' : show(x);
    throw new TypeError(
      `${LABEL}: expected a dataset or tensors with samples on the first axis, got ${got}`,
    );
  }
  const samples = x.shape[0];
  return tidy(() => {
    if (index >= samples) return slice(x, [0], [0]);
    return gather(x, range(index, samples, size, 'int32'));
  });
}
