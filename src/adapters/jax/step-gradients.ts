/** The gradients of a step, collected from its spans; held until it ends. */

import { numpy as np, tree } from '@jax-js/jax';
import type { Held } from './held.js';
import { type Cotangents, floatsOf, type Gradients } from './span.js';
import type { Flow, Tree } from './stage.js';

export class StepGradients {
  readonly #parameters: Record<string, Tree>;
  readonly #held: Held;
  readonly #taken: Record<string, Tree> = {};

  /** @param parameters of the network, whose form the gradients have */
  constructor(parameters: Record<string, Tree>, held: Held) {
    this.#parameters = parameters;
    this.#held = held;
  }

  /** Keeps the gradients of a span's parameters; returns those of its inputs. */
  take({ parameters, inputs }: Gradients): Gradients['inputs'] {
    this.#held.hold(inputs);
    for (const [key, gradient] of Object.entries(parameters as Record<string, Tree>)) {
      this.#held.hold(gradient);
      const other = this.#taken[key];
      // A layer that runs at two places gets the sum of both gradients.
      this.#taken[key] = other === undefined ? gradient : this.#sum(other, gradient);
    }
    return inputs;
  }

  #sum(one: Tree, other: Tree): Tree {
    for (const gradient of [one, other]) this.#held.release(gradient);
    const sum = tree.map((a: np.Array, b: np.Array) => a.add(b), one, other) as Tree;
    return this.#held.hold(sum);
  }

  /** In the order of the parameters, which makes their trees alike. */
  ordered(): Record<string, Tree> {
    const names = Object.keys(this.#parameters);
    return Object.fromEntries(names.map((name) => [name, this.#taken[name]]));
  }

  /** The gradients, owned by the caller; zeros on a rank without samples, where none were taken. */
  released(samples: number): Record<string, Tree> {
    if (samples === 0) return tree.map(zerosLike, this.#parameters) as Record<string, Tree>;
    const gradients = this.ordered();
    for (const gradient of Object.values(gradients)) this.#held.release(gradient);
    return gradients;
  }
}

/** Gradients of a step's batch, times `factor`; zeros if no backward pass has reached it. */
export function inputGradients(reached: Cotangents | null, factor: number, { x, carry }: Flow) {
  const scaled = (array: np.Array) => array.ref.mul(factor);
  if (reached !== null) return { x: scaled(reached.x), carry: reached.carry.map(scaled) };
  return { x: zerosLike(x), carry: floatsOf(carry).map(zerosLike) };
}

function zerosLike({ shape, device }: np.Array): np.Array {
  return np.zeros(shape, { device });
}
