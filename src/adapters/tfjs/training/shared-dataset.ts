/** A dataset whose iterators end on all ranks at once, with stand-ins after the own batches. */

import type { Tensor } from '@tensorflow/tfjs-core';
import type { ProcessGroup } from '../../../group/process-group.js';
import { awaitFor } from '../peers.js';
import { type Form, mapLeaves, type Nested, samplesOf, standInFor } from '../samples.js';
import { inputFormsOf, targetFormsOf } from './forms.js';
import type { TrainedModel } from './trained-model.js';

/** A batch as datasets give it. */
export interface BatchElement {
  xs: Nested<Tensor>;
  ys: Nested<Tensor>;
}

/** The part of a dataset that `fitDataset` and `evaluateDataset` use. */
export interface BatchDataset {
  readonly size?: number | null;
  iterator(): Promise<BatchIterator>;
}

interface BatchIterator {
  next(): Promise<{ value: BatchElement | null; done: boolean }>;
}

/** @param size batches of the longest part, if all are known */
export function shareDataset(
  dataset: BatchDataset,
  model: TrainedModel,
  group: ProcessGroup,
  size: number | null,
): BatchDataset {
  let standIn = () => ofForms(inputFormsOf(model), targetFormsOf(model));
  return {
    size,
    async iterator() {
      const own = await dataset.iterator();
      let isOver = false;
      return {
        async next() {
          const { value, done } = isOver ? { value: null, done: true } : await own.next();
          isOver ||= done;
          const given = Float64Array.of(value == null ? 0 : 1);
          await awaitFor(group, group.allReduce(given, { label: 'distribute: next batch' }));
          if (given[0] === 0) return { value: null, done: true };
          if (value == null) return { value: standIn(), done: false };
          standIn = standInsLike(value);
          return { value, done: false };
        },
      };
    },
  };
}

function ofForms(inputs: readonly Form[], targets: readonly Form[]): BatchElement {
  return { xs: inputs.map(standInFor), ys: targets.map(standInFor) };
}

/** Makes stand-ins of the form of a batch, which itself is gone by then. */
function standInsLike({ xs, ys }: BatchElement): () => BatchElement {
  const maker = (nested: Nested<Tensor>) => {
    const makers = mapLeaves(
      nested,
      ({ shape, dtype }) =>
        () =>
          standInFor({ shape, dtype }),
    );
    return () => callLeaves(makers);
  };
  const [makeXs, makeYs] = [maker(xs), maker(ys)];
  return () => ({ xs: makeXs(), ys: makeYs() });
}

function callLeaves(makers: Nested<() => Tensor>): Nested<Tensor> {
  if (typeof makers === 'function') return makers();
  if (Array.isArray(makers)) return makers.map(callLeaves);
  const parts = Object.entries(makers as Record<string, Nested<() => Tensor>>);
  return Object.fromEntries(parts.map(([name, part]) => [name, callLeaves(part)]));
}

/** Makes a dataset that reports the samples of each batch that is taken from it. */
export function countSamples(
  dataset: BatchDataset,
  onStart: () => void,
  onSamples: (samples: number) => void,
): BatchDataset {
  return Object.create(dataset, {
    iterator: {
      value: async () => {
        onStart();
        const own = await dataset.iterator();
        return {
          next: async () => {
            const result = await own.next();
            if (result.value != null) onSamples(samplesOf(result.value.xs));
            return result;
          },
        };
      },
    },
  });
}
