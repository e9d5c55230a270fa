/**
 * A network that is cut at its synchronized layers. jax-js has gradients and no hook for custom
 * ones: a layer that talks to other ranks cannot be part of a jitted function. So each part
 * between two such layers becomes a jitted function of its own; see span.ts.
 */

import { type Device, jit, numpy as np } from '@jax-js/jax';
import { checkType } from '../../core/checks.js';
import { checkOptionNames } from '../../core/options.js';
import { Tensor } from '../../core/tensor.js';
import type { Work } from '../../group/transport.js';
import type { GroupLike } from '../../group/world.js';
import { BatchNorm } from '../../layers/batch-norm.js';
import type { GlobalBatchNorm } from '../../layers/global-batch-norm.js';
import { ownName, partsOf } from '../../layers/parts.js';
import type { AnySyncBatchNorm } from '../../layers/sync-batch-norm.js';
import { drive, type Steps } from '../shared/drive.js';
import { runningStatistics, statisticsRows } from '../shared/statistics.js';
import { type Again, type Placed, placesOf } from './again.js';
import { checkEntries, checkParameters, flowOf } from './checks.js';
import { call, Held } from './held.js';
import { localStatistics, type MaskOf, packRows, unpackStatistics } from './normalization.js';
import { read } from './read.js';
import { InnerSpan, LastSpan, type StatisticsOf } from './span.js';
import type { Flow, Stage, Tree } from './stage.js';
import { type LossAndGradients, type Spans, trainingStep } from './training-step.js';

/** Stages and normalisations by name, in the order in which they run; see `again`. */
export type Layers = Record<string, Stage | AnySyncBatchNorm | GlobalBatchNorm | Again>;

/**
 * The parameter tree of a network: one entry for each layer, `{}` for layers without parameters; no
 * entry for places where a layer runs again.
 */
export type ParametersOf<E extends Layers> = {
  -readonly [K in keyof E as E[K] extends Again ? never : K]: E[K] extends Stage<infer P>
    ? P
    : E[K] extends GlobalBatchNorm
      ? { gamma: np.Array; beta: np.Array }
      : { weight: np.Array; bias: np.Array };
};

/** A batch: an array with the samples on its first axis, or with a carry for the stages. */
export type Batch = np.Array | { x: np.Array; carry: Tree };

export interface NetworkOptions<L extends Tree> {
  /**
   * Returns the mean loss over the given samples, a scalar. Runs inside `jit`; gets the result of
   * the last stage, and owns it. With a group the mean over all its samples comes out.
   */
  loss: (x: np.Array, labels: L, carry: Tree) => np.Array;
  /**
   * For normalisations, by name: the mask of their input's values that count, from the carry that
   * comes along. An array of the input's shape without its channels, of any type, 0 where a value
   * does not count. Statistics are of the values that count on all ranks; all values are
   * normalised. Runs inside `jit`, and owns the carry.
   */
  masks?: Record<string, MaskOf>;
  /** Ranks that train together, by name or object. Default null: the world. */
  processGroup?: GroupLike;
  /** Name of the network in collectives and errors. Default 'network'. */
  name?: string;
}

export interface StepOptions {
  /**
   * If true (default), loss and gradients are averaged over the group. If false, they are those of
   * this rank's own mean loss: weighed by the ranks' sample counts they average to the same, as
   * `averageGradients` does with `sampleCount`.
   */
  average?: boolean;
  /** If true, the gradients of the batch come along, too. Default false. */
  inputGradients?: boolean;
}

/**
 * A network of `layers` in the order in which they are written, and its loss.
 * @throws TypeError for anything but layers; RangeError for a float64 or reproducible layer
 *   (jax-js computes in float32, and its own sums depend on how a batch is split)
 * @example
 * const model = network(
 *   {
 *     conv1: stage(() => ({ kernel }), (x, { kernel }) => convolve(x, kernel)),
 *     bn1: new SyncBatchNorm(16, { channelsLast: true }),
 *     dense: stage(() => ({ w }), (x, { w }) => np.dot(maxPool(nn.relu(x)).reshape([-1, 3136]), w)),
 *   },
 *   { loss: (logits, labels: np.Array) => crossEntropy(logits, labels) },
 * );
 */
export function network<E extends Layers, L extends Tree>(
  layers: E,
  options: NetworkOptions<L>,
): Network<E, L> {
  return new Network(layers, options);
}

/** See {@link network}. */
export class Network<E extends Layers, L extends Tree> {
  readonly layers: E;
  readonly name: string;
  readonly #places: readonly Placed<Stage | BatchNorm>[];
  readonly #spans: Spans;
  readonly #group: GroupLike;

  constructor(layers: E, options: NetworkOptions<L>) {
    this.name = checkEntries(layers, options);
    this.layers = layers;
    this.#places = placesOf(layers);
    this.#spans = cut(this.#places, options);
    this.#group = options.processGroup ?? null;
  }

  /**
   * Makes fresh parameters, owned by the caller: those of the stages, and weight and bias of the
   * layers as the layers hold them now. Ranks must start alike: seed them, or see `broadcastTree`.
   */
  initialParameters(): ParametersOf<E> {
    const entries = this.#owners().map(([name, layer]) => [
      name,
      layer instanceof BatchNorm ? parametersOf(layer) : layer.initial(),
    ]);
    return Object.fromEntries(entries);
  }

  /** The places that have parameters of their own. */
  #owners(): Placed<Stage | BatchNorm>[] {
    return this.#places.filter(([place, , key]) => place === key);
  }

  /**
   * Loss and gradients of one training step, in which each layer is in its own mode: in training
   * it takes the statistics of its group's batch, and its running statistics learn them. Every
   * rank of the groups must call it. Ranks may hold batches of different sizes, or none.
   *
   * The step starts at once; `wait()` blocks until it is over, `done()` is its promise. Call one.
   * @param parameters as `initialParameters` makes them; consumed, as are `batch` and `labels`
   * @param batch samples on the first axis; without samples: `np.zeros([0, ...])`
   * @returns the mean loss over all samples of the group and its gradients, arrays in the form of
   *   `parameters`, which the caller owns; the same on all ranks. Without any sample both are 0.
   *   With `inputGradients` also those of this rank's batch
   * @throws TypeError and RangeError for arguments that do not fit, on the group's other ranks
   *   too; from `wait()` on the webgpu device, which can only be awaited
   */
  lossAndGradients(
    parameters: ParametersOf<E>,
    batch: Batch,
    labels: L,
    options: StepOptions = {},
  ): Work<LossAndGradients<ParametersOf<E>>> {
    const caller = `${this.name}: lossAndGradients`;
    checkOptionNames(options, ['average', 'inputGradients'], caller);
    const steps = trainingStep(this.#spans, {
      parameters,
      batch,
      labels,
      owners: this.#owners(),
      processGroup: this.#group,
      average: checkType(options.average ?? true, 'boolean', `${caller}: average`),
      toInputs: checkType(options.inputGradients ?? false, 'boolean', `${caller}: inputGradients`),
      label: this.name,
    });
    return drive(steps as Steps<LossAndGradients<ParametersOf<E>>>);
  }

  /**
   * Returns the last stage's result in inference, by running statistics in every layer, whatever
   * its mode; a layer without running statistics takes the local batch's. One jitted function;
   * sends nothing.
   * @param parameters consumed, as is `batch`
   * @throws Error for a layer that takes the group's statistics in inference too
   */
  predict(parameters: ParametersOf<E>, batch: Batch): np.Array {
    const held = new Held();
    held.hold([parameters, batch]);
    try {
      checkParameters(parameters, this.#owners(), this.name);
      const flow = flowOf(batch, this.name);
      const statistics = held.hold(this.#fixedStatistics(flow.x.device));
      return call(this.#predict, parameters, flow, statistics);
    } finally {
      held.dispose();
    }
  }

  /**
   * Writes the trained weights of the layers into them, so that their `stateDict()` is complete.
   * `initialParameters` is the way back, after `loadStateDict` of the layers.
   * @param parameters consumed
   */
  store(parameters: ParametersOf<E>): Work<void> {
    return drive(storeSteps(this.#owners(), parameters));
  }

  /** Frees the constants of its jitted functions; the network cannot be used afterwards. */
  dispose(): void {
    for (const span of [...this.#spans.inner, this.#spans.last]) span.dispose();
    this.#predict.dispose();
  }

  readonly #predict = jit((parameters: Tree, flow: Flow, statistics: np.Array[]): np.Array => {
    const { inner, last } = this.#spans;
    let now = flow;
    [...inner, last].forEach((span, i) => {
      const maskOf = inner[i - 1]?.maskOf ?? null;
      now = span.run(parameters, now, inferenceStatistics(statistics[i - 1], maskOf));
    });
    return now.x;
  });

  #fixedStatistics(device: Device): np.Array[] {
    return this.#spans.inner.map(({ next: [name, layer] }) => {
      if ('useBatchStatistics' in layer && layer.useBatchStatistics === true) {
        throw new Error(
          `${name}: ${layer.label} with useBatchStatistics: true cannot predict alone`,
        );
      }
      return packRows(statisticsRows(runningStatistics(layer), layer), layer, device);
    });
  }
}

function inferenceStatistics(packed: np.Array, maskOf: MaskOf | null): StatisticsOf {
  return (flow, layer) => {
    const { running, checkShape } = partsOf(layer);
    checkShape(flow.x.shape);
    const given = unpackStatistics(packed);
    return running === null ? localStatistics(flow, given, layer, maskOf) : given;
  };
}

/** Cuts the layers before each normalisation. */
function cut(
  places: readonly Placed<Stage | BatchNorm>[],
  { loss, masks = {} }: Pick<NetworkOptions<never>, 'loss' | 'masks'>,
): Spans {
  const inner: InnerSpan[] = [];
  let norm: Placed<BatchNorm> | null = null;
  let stages: Placed<Stage>[] = [];
  for (const [place, layer, key] of places) {
    if (layer instanceof BatchNorm) {
      const next = [place, layer, key] as const;
      inner.push(new InnerSpan(norm, stages, next, masks[place] ?? null));
      norm = next;
      stages = [];
    } else {
      stages.push([place, layer, key]);
    }
  }
  return { inner, last: new LastSpan(norm, stages, loss as LastSpan['loss']) };
}

/** Copies the trained parameters of a layer to new arrays, by name. */
function parametersOf(layer: BatchNorm): Record<string, np.Array> {
  return Object.fromEntries(
    layer.parameters().map((parameter) => {
      const { data } = parameter;
      const values = Float32Array.from(data.toFloats());
      return [ownName(parameter), np.array(values, { shape: [...data.shape] })];
    }),
  );
}

function* storeSteps(
  owners: readonly Placed<Stage | BatchNorm>[],
  parameters: Record<string, Tree>,
): Steps<void> {
  const held = new Held();
  held.hold(parameters);
  try {
    checkParameters(parameters, owners, 'store');
    for (const [name, layer] of owners) {
      if (!(layer instanceof BatchNorm)) continue;
      const own = parameters[name] as Record<string, np.Array>;
      const state = layer.stateDict();
      for (const parameter of layer.parameters()) {
        const part = ownName(parameter);
        const { data } = parameter;
        state[part] = Tensor.from(yield* read(own[part].ref), data.shape, data.dtype);
      }
      layer.loadStateDict(state);
    }
  } finally {
    held.dispose();
  }
}
