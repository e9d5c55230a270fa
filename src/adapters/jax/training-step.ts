/**
 * One training step over all spans: forward with the group's statistics, backward with the
 * group's sums, then the average of the gradients. A rank without samples runs no jax-js at all;
 * it brings zeros to every collective.
 */

import { type Device, type numpy as np, tree } from '@jax-js/jax';
import { emptyMoments } from '../../core/moments.js';
import type { ProcessGroup } from '../../group/process-group.js';
import type { Work } from '../../group/transport.js';
import { findGroup, type GroupLike } from '../../group/world.js';
import type { BatchNorm } from '../../layers/batch-norm.js';
import { partsOf } from '../../layers/parts.js';
import { averagePass } from '../../parallel/average-pass.js';
import { targetOf } from '../../parallel/targets.js';
import { result, type Steps } from '../shared/drive.js';
import { Peers } from '../shared/peers.js';
import {
  type Applied,
  batchStatistics,
  correctionRows,
  ownMoments,
  runningStatistics,
  statisticsRows,
} from '../shared/statistics.js';
import type { Placed } from './again.js';
import { checkParameters, flowOf } from './checks.js';
import { flatten, unflatten } from './flat.js';
import { call, Held } from './held.js';
import { packRows } from './normalization.js';
import { read } from './read.js';
import {
  type Cotangents,
  type Gradients,
  type InnerSpan,
  isFloating,
  type LastSpan,
  type Span,
  type Start,
} from './span.js';
import { describe, type Flow, type Stage, type Tree } from './stage.js';
import { inputGradients, StepGradients } from './step-gradients.js';

/** A network cut at its normalisations. */
export interface Spans {
  readonly inner: readonly InnerSpan[];
  readonly last: LastSpan;
}

export interface LossAndGradients<P> {
  loss: number;
  gradients: P;
  /** Samples that loss and gradients are over. */
  samples: number;
  /**
   * With `inputGradients`: gradients of this rank's batch, its x and the floating arrays of its
   * carry in the order of their leaves.
   */
  inputs?: { x: np.Array; carry: np.Array[] };
}

/** Inputs of a step, which owns the arrays. */
export interface StepInput {
  readonly parameters: Record<string, Tree>;
  readonly batch: np.Array | { x: np.Array; carry: Tree };
  readonly labels: Tree;
  /** The network's layers and stages, each once, by name. */
  readonly owners: readonly Placed<Stage | BatchNorm>[];
  readonly processGroup: GroupLike;
  /** If true, averages over the group; otherwise loss and gradients stay this rank's own. */
  readonly average: boolean;
  /** If true, the gradients of the batch are wanted. */
  readonly toInputs: boolean;
  readonly label: string;
}

/** Runs a step. See `Network.lossAndGradients` for its result. */
export function* trainingStep(
  spans: Spans,
  input: StepInput,
): Steps<LossAndGradients<Record<string, Tree>>> {
  const held = new Held();
  held.hold([input.parameters, input.batch, input.labels]);
  let peers: Peers | null = null;
  try {
    const found = findGroup(input.processGroup, input.label);
    const group = input.average && found.size > 1 ? found : null;
    peers = new Peers(meetings(spans, group));
    checkParameters(input.parameters, input.owners, input.label);
    return yield* new TrainingStep(spans, input, group, held, peers).run();
  } catch (error) {
    peers?.fail(error, input.label);
    throw error;
  } finally {
    held.dispose();
  }
}

/** The groups of the collectives to come, in their order. */
function meetings({ inner }: Spans, group: ProcessGroup | null): ProcessGroup[] {
  const layers = inner.map(({ next }) => partsOf(next[1]).group());
  return [...layers, ...[...layers].reverse(), group].filter(
    (met): met is ProcessGroup => met !== null && met.size > 1,
  );
}

class TrainingStep {
  readonly #spans: Spans;
  readonly #input: StepInput;
  /** Ranks to average over; null if nothing is averaged. */
  readonly #group: ProcessGroup | null;
  readonly #held: Held;
  readonly #peers: Peers;
  readonly #flow: Flow;
  /** Samples of this rank. */
  readonly #samples: number;
  readonly #device: Device;
  /** Inputs of each span. */
  readonly #starts: Start[] = [];
  /** Statistics that the norm after each inner span normalised by. */
  readonly #applied: Applied[] = [];
  #loss: np.Array | null = null;
  readonly #gradients: StepGradients;
  /** Gradients of the batch, if they are wanted. */
  #inputs: Cotangents | null = null;

  constructor(
    spans: Spans,
    input: StepInput,
    group: ProcessGroup | null,
    held: Held,
    peers: Peers,
  ) {
    this.#spans = spans;
    this.#input = input;
    this.#group = group;
    this.#held = held;
    this.#peers = peers;
    this.#flow = flowOf(input.batch, input.label);
    this.#samples = this.#flow.x.shape[0];
    this.#device = this.#flow.x.device;
    this.#gradients = new StepGradients(input.parameters, held);
    if (input.toInputs && !isFloating(this.#flow.x)) {
      throw new TypeError(
        `${input.label}: only a floating batch has gradients, got ${describe(this.#flow.x)}`,
      );
    }
  }

  *run(): Steps<LossAndGradients<Record<string, Tree>>> {
    yield* this.#forward();
    yield* this.#backward();
    return this.#group === null ? yield* this.#own() : yield* this.#average(this.#group);
  }

  *#forward(): Steps<void> {
    const { inner, last } = this.#spans;
    let flow = this.#flow;
    let statistics: np.Array | [] = [];
    for (const span of inner) {
      const start = this.#start(span, flow, statistics);
      let values: Float32Array | null = null;
      if (this.#samples > 0) {
        const end = this.#held.hold(call(span.forward, start));
        values = yield* read(end.moments.ref);
        flow = end;
      }
      const applied = yield* this.#statistics(span, flow.x, values);
      this.#applied.push(applied);
      const layer = span.next[1];
      const rows = statisticsRows(applied, layer);
      statistics = this.#held.hold(packRows(rows, layer, this.#device));
    }
    this.#start(last, flow, statistics);
  }

  #start({ keys }: Span, { x, carry }: Flow, statistics: np.Array | []): Start {
    const parameters = Object.fromEntries(keys.map((key) => [key, this.#input.parameters[key]]));
    const start = { parameters, x, carry, statistics };
    this.#starts.push(start);
    return start;
  }

  /** Finds the statistics that a layer normalises by; its running statistics learn on the way. */
  *#statistics(
    { next: [name, layer], maskOf }: InnerSpan,
    x: np.Array,
    values: Float32Array | null,
  ): Steps<Applied> {
    const { group: groupOf, batchOptions, synchronization } = partsOf(layer);
    const group = groupOf();
    if (group === null) return runningStatistics(layer)!;
    const channels = layer.numFeatures;
    const count = maskOf === null ? x.size / channels : (values?.[3 * channels] ?? 0);
    const own = values === null ? emptyMoments(channels) : ownMoments(values, channels, count);
    const options = { ...batchOptions(), label: labelOf(name, layer) };
    const moments = yield* this.#meet(group, () => synchronization.startMerge(own, group, options));
    return batchStatistics(moments, layer, group);
  }

  /** Awaits the result of a collective over `group`, and notes it if the group has other ranks. */
  *#meet<T>(group: ProcessGroup, collective: () => Work<T>): Steps<T> {
    if (group.size > 1) this.#peers.meet(group);
    const met = yield* result(collective());
    this.#peers.leave();
    return met;
  }

  *#backward(): Steps<void> {
    const { inner, last } = this.#spans;
    const { toInputs } = this.#input;
    let after: Gradients['inputs'] | null = null;
    if (this.#samples > 0) {
      const finish = inner.length === 0 && toInputs ? last.finishToInputs : last.finish;
      const { loss, ...end } = call(finish, this.#starts[inner.length], this.#input.labels);
      this.#loss = this.#held.hold(loss);
      after = this.#gradients.take(end);
    }
    for (let i = inner.length - 1; i >= 0; i--) {
      const correction = yield* this.#correction(inner[i].next, this.#applied[i], after);
      if (after === null || Array.isArray(after)) continue;
      const { x, carry: all, statistics } = this.#starts[i + 1];
      const carry = inner[i].maskOf === null ? [] : all;
      const junction = { x, carry, statistics: statistics as np.Array, correction };
      const before = after;
      const backward = i === 0 && toInputs ? inner[i].backwardToInputs : inner[i].backward;
      after = this.#gradients.take(call(backward, this.#starts[i], junction, before));
      for (const used of [before, correction]) this.#held.free(used);
    }
    if (after !== null && !Array.isArray(after)) this.#inputs = after;
  }

  /** The statistics' part of the gradient, from the sums over the layer's group. */
  *#correction(
    [name, layer]: Placed<BatchNorm>,
    applied: Applied,
    inputs: Gradients['inputs'] | null,
  ): Steps<np.Array> {
    const { group } = applied;
    const sums = new Float64Array(2 * layer.numFeatures);
    if (group !== null) {
      if (inputs !== null && !Array.isArray(inputs)) {
        sums.set(yield* read((inputs.sums as np.Array).ref));
      }
      // From the mean loss of this rank's samples to the sum, which has one scale on all ranks.
      for (let i = 0; i < sums.length; i++) sums[i] *= this.#samples;
      const { synchronization } = partsOf(layer);
      const label = labelOf(name, layer);
      yield* this.#meet(group, () => synchronization.startSum(sums, group, { label }));
    }
    const rows = correctionRows(sums, applied, this.#samples);
    return this.#held.hold(packRows(rows, layer, this.#device));
  }

  /** Loss and gradients of this rank's samples alone. */
  *#own(): Steps<LossAndGradients<Record<string, Tree>>> {
    const loss = this.#loss === null ? 0 : (yield* read(this.#loss.ref))[0];
    const gradients = this.#gradients.released(this.#samples);
    return { loss, gradients, samples: this.#samples, ...this.#ofInputs(1) };
  }

  /** Returns the gradients of the batch, times `factor`, if they are wanted. */
  #ofInputs(factor: number): Pick<LossAndGradients<unknown>, 'inputs'> {
    if (!this.#input.toInputs) return {};
    return { inputs: inputGradients(this.#inputs, factor, this.#flow) };
  }

  /** The average over all samples of the group. */
  *#average(group: ProcessGroup): Steps<LossAndGradients<Record<string, Tree>>> {
    const { parameters, label } = this.#input;
    const length = tree.leaves<np.Array>(parameters).reduce((n, a) => n + a.size, 0);
    let values: Float32Array = new Float32Array(length + 1);
    if (this.#loss !== null)
      values = yield* read(call(flatten, [this.#gradients.ordered(), this.#loss]));
    const slopes = values.subarray(0, length);
    const loss = Float64Array.of(values[length]);
    const own = this.#samples;
    const targets = [loss, slopes].map((data) => targetOf(data, '', label));
    const pass = averagePass(targets, [], { group, own, total: own, label });
    this.#peers.meet(group);
    for (let work = pass.step(); work !== null; work = pass.step()) yield* result(work);
    this.#peers.leave();
    const gradients = unflatten(slopes, parameters);
    // From the mean loss of this rank's samples to the mean loss of all.
    const samples = pass.result;
    const inputs = this.#ofInputs(samples === 0 ? 0 : own / samples);
    return { loss: loss[0], gradients, samples, ...inputs };
  }
}

function labelOf(name: string, layer: BatchNorm): string {
  return `${name}: ${partsOf(layer).collectiveLabel()}`;
}
