/** Validation data of `fit`, and the number of samples of it that a rank has. */

import { dispose, type Tensor } from '@tensorflow/tfjs-core';
import { leavesOf, type Nested, samplesOf, standInFor } from '../samples.js';
import { type BatchDataset, countSamples } from './shared-dataset.js';

type Pair = [Nested<Tensor>, Nested<Tensor>];

/** Arguments of `fit` and `fitDataset` about validation. */
export interface ValidationArguments {
  validationData?: BatchDataset | Nested<Tensor>[];
  validationSplit?: number;
}

export interface Validation<A> {
  /** The arguments, with validation data that can be counted. */
  readonly args: A;
  /** Samples that this rank has validated in the epoch. */
  samples(): number;
  dispose(): void;
}

/** @param trained samples that this rank has in `fit`, of which `validationSplit` takes a part */
export function countValidation<A extends ValidationArguments>(
  args: A,
  trained: number,
): Validation<A> {
  const { validationData, validationSplit = 0 } = args;
  if (validationData === undefined || validationData === null) {
    const kept = Math.floor(trained * (1 - validationSplit));
    return { args, samples: () => trained - kept, dispose() {} };
  }
  if (isDataset(validationData)) return countDataset(args, validationData);
  const samples = samplesOf(validationData[0]);
  if (samples > 0 || validationData.length === 0) {
    return { args, samples: () => samples, dispose() {} };
  }
  // `fit` cannot validate without samples: a stand-in, which does not count.
  const standIns = (validationData as Pair).map((x) =>
    leavesOf(x).map(({ shape, dtype }) => standInFor({ shape, dtype })),
  );
  return {
    args: { ...args, validationData: standIns },
    samples: () => 0,
    dispose: () => dispose(standIns),
  };
}

function countDataset<A extends ValidationArguments>(
  args: A,
  dataset: BatchDataset,
): Validation<A> {
  let samples = 0;
  const counted = countSamples(
    dataset,
    () => {
      samples = 0;
    },
    (more) => {
      samples += more;
    },
  );
  return { args: { ...args, validationData: counted }, samples: () => samples, dispose() {} };
}

function isDataset(data: unknown): data is BatchDataset {
  return typeof (data as Partial<BatchDataset>).iterator === 'function';
}
