/** TensorFlow.js' own BatchNormalization, whose class it does not export. */

import type { serialization, Tensor, Variable } from '@tensorflow/tfjs-core';
import { layers } from '@tensorflow/tfjs-layers';

/** Options of `tf.layers.batchNormalization`. */
export type BatchNormalizationArgs = NonNullable<Parameters<typeof layers.batchNormalization>[0]>;

/** A weight of a layer. */
export interface LayerWeight {
  read(): Tensor;
  write(value: Tensor): unknown;
}

/** Members of the class besides a layer's public ones. */
export interface BuiltInLayer extends layers.Layer {
  /** Models of Keras write it as a list. */
  axis: number | number[];
  readonly momentum: number;
  readonly epsilon: number;
  readonly center: boolean;
  readonly scale: boolean;
  readonly gamma?: LayerWeight;
  readonly beta?: LayerWeight;
  readonly movingMean: LayerWeight;
  readonly movingVariance: LayerWeight;
}

/** Arguments of a layer's call besides its inputs. */
export type Kwargs = Parameters<layers.Layer['call']>[1];

// With a name of its own: automatic names of the user's layers would shift by one.
const probe = layers.batchNormalization({ name: 'syncbn_probe' });

export const BuiltIn = probe.constructor as {
  new (args?: BatchNormalizationArgs): BuiltInLayer;
  readonly prototype: BuiltInLayer;
  readonly className: string;
  readonly fromConfig: serialization.FromConfigMethod<BuiltInLayer>;
};

export function isBuiltIn(layer: layers.Layer): layer is BuiltInLayer {
  return layer.getClassName() === BuiltIn.className;
}

/** The scale and shift that a layer has, in the order of `customGrad`'s gradients. */
export function affineOf({ gamma, beta }: BuiltInLayer): {
  gamma: Variable | null;
  beta: Variable | null;
  list: Tensor[];
} {
  const [scale, shift] = [gamma, beta].map((weight) => (weight?.read() ?? null) as Variable | null);
  return { gamma: scale, beta: shift, list: [scale, shift].filter((weight) => weight !== null) };
}
