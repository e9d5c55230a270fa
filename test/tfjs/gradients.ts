/** Passes of a layer as arrays, and how far they are from another's. */

import * as tf from '@tensorflow/tfjs';
import { expect } from 'vitest';

export interface Passes {
  y: Float32Array;
  dx: Float32Array;
  dgamma: Float32Array | null;
  dbeta: Float32Array | null;
  movingMean: Float32Array;
  movingVariance: Float32Array;
  inferred: Float32Array;
  inferredDx: Float32Array;
}

interface NormLayer extends tf.layers.Layer {
  gamma?: { read(): tf.Tensor };
  beta?: { read(): tf.Tensor };
  movingMean: { read(): tf.Tensor };
  movingVariance: { read(): tf.Tensor };
}

const floats = (x: tf.Tensor) => Float32Array.from(x.dataSync());

/**
 * Trains once and infers once, with gradients.
 * @param shape what the layer is built for
 * @param around what is done to the input before, and to the output after
 */
export function passesOf(
  built: tf.layers.Layer,
  shape: number[],
  x: tf.Tensor,
  dy: tf.Tensor,
  around: [(x: tf.Tensor) => tf.Tensor, (y: tf.Tensor) => tf.Tensor] = [(v) => v, (v) => v],
): Passes {
  const layer = built as NormLayer;
  layer.build(shape);
  const [before, after] = around;
  const run = (training: boolean) => after(layer.apply(before(x), { training }) as tf.Tensor);
  const { gamma, beta } = layer;
  let passes!: Passes;
  tf.tidy(() => {
    const weights = [gamma, beta].filter((weight) => weight != null).map((w) => w.read());
    const engine = tf.engine();
    const trained = engine.gradients(() => run(true), [x, ...weights], dy);
    const moving = [layer.movingMean, layer.movingVariance].map((w) => floats(w.read()));
    const inferred = engine.gradients(() => run(false), [x], dy);
    const [dx, ...rest] = trained.grads.map(floats);
    passes = {
      y: floats(trained.value),
      dx,
      dgamma: gamma == null ? null : (rest.shift() as Float32Array),
      dbeta: beta == null ? null : (rest.shift() as Float32Array),
      movingMean: moving[0],
      movingVariance: moving[1],
      inferred: floats(inferred.value),
      inferredDx: floats(inferred.grads[0]),
    };
  });
  return passes;
}

/** Fails unless every part is within `tolerance`, relative to the part's largest value. */
export function expectClose(actual: Passes, expected: Passes, tolerance: number): void {
  for (const [name, values] of Object.entries(expected) as [keyof Passes, Float32Array][]) {
    const own = actual[name] as Float32Array;
    expect(own.length, name).toBe(values.length);
    const largest = Math.max(...values.map(Math.abs)) || 1;
    const worst = Math.max(...values.map((value, i) => Math.abs(own[i] - value)));
    expect(worst / largest, name).toBeLessThan(tolerance);
  }
}
