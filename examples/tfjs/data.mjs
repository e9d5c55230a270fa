// Handwritten digits as tensors: MNIST's own files where `--data` names their folder, else drawn.

import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import * as tf from '@tensorflow/tfjs';
import { tsImport } from 'tsx/esm/api';

const { drawDigits } = await tsImport('../digits/draw.ts', import.meta.url);
const { readIdxDirectory } = await tsImport('../digits/idx.ts', import.meta.url);
const { splitDigits } = await tsImport('../digits/dataset.ts', import.meta.url);

const { values } = parseArgs({
  options: {
    data: { type: 'string' },
    digits: { type: 'string', default: '2000' },
    epochs: { type: 'string', default: '3' },
    folder: { type: 'string', default: tmpdir() },
  },
});

export const epochs = Number(values.epochs);

/** Where models are saved. */
export const { folder } = values;

/** Tensors of images (N, 28, 28, 1), 0 to 1, and of labels (N, 10), one-hot. */
function tensorsOf({ images, labels, count }) {
  return tf.tidy(() => ({
    images: tf.div(tf.tensor4d(Float32Array.from(images), [count, 28, 28, 1]), 255),
    labels: tf.cast(tf.oneHot(tf.tensor1d(Int32Array.from(labels), 'int32'), 10), 'float32'),
  }));
}

/** Digits to train on, and a tenth of them held back for the test. */
export async function loadDigits() {
  const count = Number(values.digits);
  const { train, test } = values.data
    ? readIdxDirectory(values.data)
    : splitDigits(drawDigits(count, 7));
  return { train: tensorsOf(train), test: tensorsOf(test) };
}
