/** Forms of a model's batches, for stand-ins on ranks that have not seen any. */

import type { SymbolicTensor } from '@tensorflow/tfjs-layers';
import type { Form } from '../samples.js';
import type { TrainedModel } from './trained-model.js';

/** Forms of the inputs, then of the targets. */
export function formsOf(model: TrainedModel): Form[] {
  return [...inputFormsOf(model), ...targetFormsOf(model)];
}

export function inputFormsOf({ inputs }: TrainedModel): Form[] {
  return inputs.map(formOf);
}

/** Sparse losses take class numbers instead of one-hot vectors. */
export function targetFormsOf({ outputs, outputNames, loss }: TrainedModel): Form[] {
  return outputs.map((output, i) => {
    const own =
      typeof loss === 'string' ? loss : ((loss as never)?.[outputNames[i]] ?? (loss as never)?.[i]);
    const { shape, dtype } = formOf(output);
    const isSparse = own === 'sparseCategoricalCrossentropy';
    return { shape: isSparse ? [...shape.slice(0, -1), 1] : shape, dtype };
  });
}

function formOf({ shape, dtype }: SymbolicTensor): Form {
  return { shape, dtype };
}
