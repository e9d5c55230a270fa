// Models in files, for TensorFlow.js in Node without tfjs-node: topology and weights in one JSON.

import { readFileSync, writeFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';

/** Saves a model. @returns the path */
export async function saveFile(model, path) {
  const handler = tf.io.withSaveHandler(async ({ weightData, ...rest }) => {
    const weights = Buffer.from(weightData).toString('base64');
    writeFileSync(path, JSON.stringify({ ...rest, weights }));
    return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
  });
  await model.save(handler);
  return path;
}

/** Loads a model. */
export function loadFile(path) {
  const { weights, ...rest } = JSON.parse(readFileSync(path, 'utf8'));
  const bytes = Uint8Array.from(Buffer.from(weights, 'base64'));
  return tf.loadLayersModel(tf.io.fromMemory({ ...rest, weightData: bytes.buffer }));
}
