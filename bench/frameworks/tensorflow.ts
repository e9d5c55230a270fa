/** TensorFlow.js as a benchmark's rank loads it: its ES modules do not load in Node by themselves. */

import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
export const tf = require('@tensorflow/tfjs') as typeof import('@tensorflow/tfjs');
require('@tensorflow/tfjs-backend-wasm');

export type Norm = () => import('@tensorflow/tfjs').layers.Layer;
