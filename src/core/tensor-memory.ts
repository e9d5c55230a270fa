/** Memory of tensors that is given back once, and the tensors in it. */

import { formatShape } from './layout.js';

/** A tensor, as far as its memory is concerned. */
interface Held {
  readonly shape: readonly number[];
}

export class TensorMemory {
  #release: (() => void) | null;
  #tensors: WeakRef<Held>[] = [];
  /** Number of tensors at which the list is searched for collected ones. */
  #most = 16;

  constructor(release: () => void) {
    this.#release = release;
  }

  add(tensor: Held): void {
    if (this.#tensors.length === this.#most) {
      this.#tensors = this.#tensors.filter((reference) => reference.deref() !== undefined);
      this.#most = Math.max(16, 2 * this.#tensors.length);
    }
    this.#tensors.push(new WeakRef(tensor));
  }

  end(): void {
    for (const reference of this.#tensors.splice(0)) {
      const tensor = reference.deref();
      if (tensor !== undefined) close(tensor);
    }
    this.#release?.();
    this.#release = null;
  }
}

/** Makes reading a tensor's elements throw. */
export function close(tensor: Held): void {
  const text = `Tensor: this tensor of shape ${formatShape(tensor.shape)} was disposed`;
  Object.defineProperty(tensor, 'data', {
    get: () => {
      throw new Error(text);
    },
  });
}
