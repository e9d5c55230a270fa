/**
 * A stage: a part of a network between (or beside) its normalisations, written as a plain jax-js
 * function of one array. Skip connections ride past stages and normalisations in the carry.
 */

import { type JsTree, type numpy as np, tree } from '@jax-js/jax';
import { formatShape } from '../../core/layout.js';
import { show, showText } from '../../core/show.js';

/** Arrays in objects and lists, as jax-js takes them everywhere. */
export type Tree = JsTree<np.Array>;

/** The flow from stage to stage: the array, and a carry with all else that later stages need. */
export type Flow = { x: np.Array; carry: Tree };

/** Result of a stage: the array alone leaves the carry as it is. */
export type StageResult = np.Array | { x: np.Array; carry?: Tree };

type Apply<P> = (x: np.Array, parameters: P, carry: Tree) => StageResult;

/** A stage of a network; see {@link stage}. */
export class Stage<P extends Tree = Tree> {
  /** Fresh initial parameters; the caller owns them. */
  readonly initial: () => P;
  readonly #apply: Apply<never>;

  constructor(initial: () => P, apply: Apply<P>) {
    this.initial = initial;
    this.#apply = apply;
  }

  /** Runs the stage while jax-js traces it. @throws TypeError for a result of another form */
  run({ x, carry }: Flow, parameters: Tree, name: string): Flow {
    // The stage gets references, so that it may use the carry or leave it alone.
    const result = this.#apply(x, parameters as never, tree.ref(carry));
    const next = isArray(result) ? { x: result } : result;
    if (typeof next !== 'object' || next === null || !isArray(next.x)) {
      throw new TypeError(
        `stage '${name}': expected an array or { x: array, carry }, got ${describe(result)}`,
      );
    }
    return { x: next.x, carry: next.carry ?? carry };
  }
}

/**
 * Makes a stage without parameters, or with the parameters that `initial` makes.
 *
 * `apply(x, parameters, carry)` runs inside `jit`, and owns its arguments as every jax-js function
 * does: take `.ref` of arrays that are used twice. It returns the next array, or `{ x, carry }` to
 * change the carry too, which is an empty list at first. The carry is any tree; its floating arrays
 * get gradients. The incoming carry need not be used or disposed.
 * @example
 * stage(() => ({ kernel: heNormal([3, 3, 1, 16]) }), (x, { kernel }) => convolve(x, kernel))
 * stage((x) => ({ x: nn.relu(x.ref), carry: x }))                     // a skip connection starts
 * stage((x, _, carry: np.Array) => ({ x: x.add(carry), carry: [] }))  // and ends
 */
export function stage<C extends Tree = Tree>(
  apply: (x: np.Array, parameters: Record<string, never>, carry: C) => StageResult,
): Stage<Record<string, never>>;
export function stage<P extends Tree, C extends Tree = Tree>(
  initial: () => P,
  apply: (x: np.Array, parameters: P, carry: C) => StageResult,
): Stage<P>;
export function stage(...functions: unknown[]): unknown {
  const [initial, apply] = functions.length === 1 ? [() => ({}), functions[0]] : functions;
  if (typeof initial !== 'function' || typeof apply !== 'function') {
    throw new TypeError('stage: expected stage(apply) or stage(initial, apply), all functions');
  }
  return new Stage(initial as () => Tree, apply as Apply<Tree>);
}

/** True if `value` is an array, or stands for one while jax-js traces a function. */
export function isArray(value: unknown): value is np.Array {
  const array = value as Partial<np.Array> | null | undefined;
  return (
    typeof array === 'object' &&
    array !== null &&
    globalThis.Array.isArray(array.shape) &&
    typeof array.dispose === 'function'
  );
}

/** Describes an array as `float32 (8, 28, 28, 1)`, and other values in their own form. */
export function describe(value: unknown): string {
  if (isArray(value)) return `${value.dtype} ${formatShape(value.shape)}`;
  if (value === null || typeof value !== 'object') return show(value);
  if (globalThis.Array.isArray(value)) return 'a list';
  return showText(`{ ${Object.keys(value).join(', ')} }`);
}
