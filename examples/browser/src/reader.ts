/**
 * Reads one image with a trained network: the same layers in a few plain loops, so that the page
 * needs no framework and no worker for it.
 */

import { CLASSES, SIDE } from '../../digits/dataset.js';
import { CHANNELS, type NormWeights, type Weights } from './weights.js';

const EPS = 1e-5;

/** Probability of each digit. @param image 28 x 28 in [0, 1] */
export function read(image: Float32Array, weights: Weights): Float32Array {
  const { conv1, conv2, dense1, dense2, bias, norms } = weights;
  const first = poolRectified(normalize(convolve(image, 1, conv1), norms[0]), SIDE);
  const second = poolRectified(normalize(convolve(first, CHANNELS[0], conv2), norms[1]), SIDE / 2);
  const hidden = normalize(multiply(second, dense1, CHANNELS[2]), norms[2]);
  const logits = multiply(
    hidden.map((value) => Math.max(0, value)),
    dense2,
    CLASSES,
  );
  return softmax(logits.map((value, digit) => value + bias[digit]));
}

/** 3 x 3, the edges padded with zeros; channels last. */
function convolve(x: Float32Array, inputs: number, kernel: Float32Array): Float32Array {
  const side = Math.sqrt(x.length / inputs);
  const outputs = kernel.length / (9 * inputs);
  const y = new Float32Array(side * side * outputs);
  for (let row = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      for (let tap = 0; tap < 9; tap++) {
        const from = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
        if (from.some((place) => place < 0 || place >= side)) continue;
        const pixel = (from[0] * side + from[1]) * inputs;
        for (let i = 0; i < inputs; i++) {
          const at = (tap * inputs + i) * outputs;
          const to = (row * side + column) * outputs;
          for (let o = 0; o < outputs; o++) y[to + o] += x[pixel + i] * kernel[at + o];
        }
      }
    }
  }
  return y;
}

function normalize(x: Float32Array, { weight, bias, mean, variance }: NormWeights): Float32Array {
  const channels = mean.length;
  return x.map((value, at) => {
    const c = at % channels;
    return ((value - mean[c]) / Math.sqrt(variance[c] + EPS)) * weight[c] + bias[c];
  });
}

/** The largest of each 2 x 2 pixels, or 0. */
function poolRectified(x: Float32Array, side: number): Float32Array {
  const channels = x.length / (side * side);
  const half = side / 2;
  return Float32Array.from({ length: half * half * channels }, (_, at) => {
    const c = at % channels;
    const pixel = Math.floor(at / channels);
    const [row, column] = [2 * Math.floor(pixel / half), 2 * (pixel % half)];
    let most = 0;
    for (const r of [row, row + 1]) {
      for (const q of [column, column + 1]) most = Math.max(most, x[(r * side + q) * channels + c]);
    }
    return most;
  });
}

function multiply(x: Float32Array, weight: Float32Array, outputs: number): Float32Array {
  const y = new Float32Array(outputs);
  for (let i = 0; i < x.length; i++) {
    for (let o = 0; o < outputs; o++) y[o] += x[i] * weight[i * outputs + o];
  }
  return y;
}

function softmax(logits: Float32Array): Float32Array {
  const most = Math.max(...logits);
  const powers = logits.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}
