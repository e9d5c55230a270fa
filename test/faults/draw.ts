/** Seeded choices: the same seed makes the same program and the same fault, on every machine. */

import { uniformInt } from 'pure-rand/distribution/uniformInt';
import { xoroshiro128plus } from 'pure-rand/generator/xoroshiro128plus';

export class Draw {
  readonly #generator: ReturnType<typeof xoroshiro128plus>;

  constructor(seed: number) {
    this.#generator = xoroshiro128plus(seed);
    // Neighbouring seeds begin alike; the generator forgets them in a few draws.
    for (let i = 0; i < 8; i++) this.below(2);
  }

  /** An integer from 0 to `count` - 1. */
  below(count: number): number {
    return uniformInt(this.#generator, 0, count - 1);
  }

  /** An integer from `least` to `most`. */
  between(least: number, most: number): number {
    return uniformInt(this.#generator, least, most);
  }

  /** True with probability `share`. */
  chance(share: number): boolean {
    return this.below(1000) < share * 1000;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  /** The list in another order. */
  shuffle<T>(list: readonly T[]): T[] {
    const rest = [...list];
    return list.map(() => rest.splice(this.below(rest.length), 1)[0]);
  }
}
