/**
 * A span: the part of a network between two synchronizations. It starts with a normalisation
 * (except the first span), whose statistics come in as inputs, and runs stages up to the next one.
 *
 * Each span has one jitted function for each direction. The backward one is
 * `jit(... vjp(jit(run)) ...)`: `vjp` outside `jit` would build and cache a new program in every
 * step, and `vjp` of a function that is not jitted fails if two results share a value. jax-js drops
 * from the program the parts of the forward pass that backward does not need.
 */

import { jit, numpy as np, tree, vjp } from '@jax-js/jax';
import type { BatchNorm } from '../../layers/batch-norm.js';
import type { Placed } from './again.js';
import {
  correctCotangent,
  type Junction,
  localMoments,
  type MaskOf,
  normalize,
  type Statistics,
  unpackStatistics,
} from './normalization.js';
import { describe, type Flow, isArray, type Stage, type Tree } from './stage.js';

/** Returns the mean loss over the given samples. */
export type Loss = (x: np.Array, labels: Tree, carry: Tree) => np.Array;

/** Inputs of a span; `statistics`, shape (5, C), is empty if it has no norm. */
export type Start = { parameters: Tree; x: np.Array; carry: Tree; statistics: np.Array | [] };

/** Cotangents of x and of the carry's floating arrays. */
export type Cotangents = { x: np.Array; carry: np.Array[] };

/** Gradients of a span's inputs; `sums`, shape (2, C), are those of its norm's mean and invstd. */
export type Gradients = { parameters: Tree; inputs: (Cotangents & { sums: np.Array | [] }) | [] };

/**
 * The differentiated inputs. The first span has parameters only, unless the gradients of the
 * network's inputs are asked for: nothing comes before it.
 */
type Inputs = {
  parameters: Tree;
  before: (Cotangents & { norm: { high: np.Array; invstd: np.Array } | [] }) | [];
};

export abstract class Span {
  readonly norm: Placed<BatchNorm> | null;
  readonly stages: readonly Placed<Stage>[];
  protected abstract readonly functions: readonly { dispose(): void }[];

  constructor(norm: Placed<BatchNorm> | null, stages: readonly Placed<Stage>[]) {
    this.norm = norm;
    this.stages = stages;
  }

  /** Entries of the parameters that its layers and stages take, each once. */
  get keys(): string[] {
    const places = [...(this.norm === null ? [] : [this.norm]), ...this.stages];
    return [...new Set(places.map(([, , key]) => key))];
  }

  /** Frees the constants of its jitted functions. */
  dispose(): void {
    for (const jitted of this.functions) jitted.dispose();
  }

  /** Runs it while jax-js traces. @param statistics of its norm, if it has one */
  run(parameters: Tree, { x, carry }: Flow, statistics: StatisticsOf): Flow {
    const own = parameters as Record<string, Tree>;
    let flow: Flow = { x, carry };
    if (this.norm !== null) {
      const [, layer, key] = this.norm;
      flow = { x: normalize(x, own[key], statistics(flow, layer), layer), carry };
    }
    // References, since a stage may stand here twice.
    for (const [place, stage, key] of this.stages) {
      flow = stage.run(flow, tree.ref(own[key]), place);
    }
    return flow;
  }

  /** Runs the span with `inputs` in place of their values in `start`. */
  protected runFrom({ parameters, before }: Inputs, start: Start): Flow {
    if (Array.isArray(before)) return this.run(parameters, start, given(start));
    const { x, carry, norm } = before;
    const flow = { x, carry: withFloats(start.carry, carry) };
    return this.run(parameters, flow, (...of) => ({ ...given(start)(...of), ...norm }));
  }

  /** Returns the results of `run`, and a function from their cotangents to gradients. */
  protected linearize(
    run: (inputs: Inputs, start: Start, labels: Tree) => np.Array[],
    start: Start,
    labels: Tree,
    toInputs: boolean,
  ): [np.Array[], (cotangents: np.Array[]) => Gradients] {
    const [results, pull] = vjp(
      (inputs: Inputs) => run(inputs, start, labels),
      [this.#inputsOf(tree.ref(start), toInputs)],
    );
    return [results, (cotangents) => gradientsOf(pull(cotangents)[0])];
  }

  #inputsOf({ parameters, x, carry, statistics }: Start, toInputs: boolean): Inputs {
    const before = { x, carry: floatsOf(carry), norm: [] as [] };
    if (this.norm === null) return { parameters, before: toInputs ? before : [] };
    const { high, invstd } = unpackStatistics(statistics as np.Array);
    return { parameters, before: { ...before, norm: { high, invstd } } };
  }
}

/** A span that ends in a normalisation. */
export class InnerSpan extends Span {
  readonly next: Placed<BatchNorm>;
  /** Mask of the next span's norm. */
  readonly maskOf: MaskOf | null;

  constructor(
    norm: Placed<BatchNorm> | null,
    stages: readonly Placed<Stage>[],
    next: Placed<BatchNorm>,
    maskOf: MaskOf | null,
  ) {
    super(norm, stages);
    this.next = next;
    this.maskOf = maskOf;
  }

  /** Computes the next span's x and carry, and x's local moments for its norm. */
  readonly forward = jit((start: Start) => {
    const flow = this.run(start.parameters, start, given(start));
    return { ...flow, moments: localMoments(flow.x, this.next[1], flow.carry, this.maskOf) };
  });

  readonly #traced = jit((inputs: Inputs, start: Start) => {
    const { x, carry } = this.runFrom(inputs, start);
    return [x, ...floatsOf(carry)];
  });

  /** @param of cotangents of the next span's inputs, without the statistics' part */
  readonly backward = jit((start: Start, junction: Junction, of: Cotangents) =>
    this.#pull(start, junction, of, false),
  );

  /** Goes back through the first span, down to the network's inputs. */
  readonly backwardToInputs = jit((start: Start, junction: Junction, of: Cotangents) =>
    this.#pull(start, junction, of, true),
  );

  #pull(start: Start, junction: Junction, of: Cotangents, toInputs: boolean): Gradients {
    const [, pull] = this.linearize(this.#traced, start, [], toInputs);
    const x = correctCotangent(of.x, junction, this.next[1], this.maskOf);
    return pull([x, ...of.carry]);
  }

  protected override readonly functions = [
    this.forward,
    this.#traced,
    this.backward,
    this.backwardToInputs,
  ];
}

/** The span that ends in the loss. */
export class LastSpan extends Span {
  readonly loss: Loss;

  constructor(norm: Placed<BatchNorm> | null, stages: readonly Placed<Stage>[], loss: Loss) {
    super(norm, stages);
    this.loss = loss;
  }

  readonly #traced = jit((inputs: Inputs, start: Start, labels: Tree) => {
    const { x, carry } = this.runFrom(inputs, start);
    return [checkLoss(this.loss(x, labels, carry))];
  });

  /** Computes the loss and its gradients: forward and backward in one. */
  readonly finish = jit((start: Start, labels: Tree) => this.#pull(start, labels, false));

  /** As `finish`, down to the network's inputs, if this is the first span, too. */
  readonly finishToInputs = jit((start: Start, labels: Tree) => this.#pull(start, labels, true));

  #pull(start: Start, labels: Tree, toInputs: boolean): Gradients & { loss: np.Array } {
    const [[loss], pull] = this.linearize(this.#traced, start, labels, toInputs);
    return { loss: loss.ref, ...pull([np.onesLike(loss)]) };
  }

  protected override readonly functions = [this.#traced, this.finish, this.finishToInputs];
}

/** Gives a norm its statistics, from its input if they are the local batch's. */
export type StatisticsOf = (flow: Flow, layer: BatchNorm) => Statistics;

function given({ statistics }: Start): StatisticsOf {
  return () => unpackStatistics(statistics as np.Array);
}

function gradientsOf({ parameters, before }: Inputs): Gradients {
  if (Array.isArray(before)) return { parameters, inputs: [] };
  const { x, carry, norm } = before;
  const sums = Array.isArray(norm) ? norm : np.stack([norm.high, norm.invstd]);
  return { parameters, inputs: { x, carry, sums } };
}

export function isFloating({ dtype }: np.Array): boolean {
  return dtype.startsWith('float');
}

export function floatsOf(carry: Tree): np.Array[] {
  return tree.leaves<np.Array>(carry).filter(isFloating);
}

/** Returns `carry` with other floating arrays. */
function withFloats(carry: Tree, floats: readonly np.Array[]): Tree {
  const rest = floats.values();
  return tree.map(
    (leaf: np.Array) => (isFloating(leaf) ? rest.next().value! : leaf),
    carry,
  ) as Tree;
}

function checkLoss(loss: unknown): np.Array {
  if (!isArray(loss) || loss.ndim !== 0 || !isFloating(loss)) {
    throw new TypeError(
      `loss: expected a floating scalar, the mean over the samples, got ${describe(loss)}`,
    );
  }
  return loss;
}
