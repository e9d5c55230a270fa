/**
 * Seeded random numbers that are the same on every machine: xoshiro128** (Blackman and Vigna,
 * "Scrambled Linear Pseudorandom Number Generators", 2021), its state filled by SplitMix32.
 */

export class Random {
  readonly #state: Uint32Array;
  #spare: number | null = null;

  /** @param seed an integer; its lower 32 bits count */
  constructor(seed: number) {
    let mix = seed | 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      mix = (mix + 0x9e3779b9) | 0;
      let z = Math.imul(mix ^ (mix >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    });
  }

  /** Uniform in [0, 1), a multiple of 2^-32. */
  uniform(): number {
    const s = this.#state;
    const product = Math.imul(s[1], 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = (s[3] << 11) | (s[3] >>> 21);
    return result / 2 ** 32;
  }

  /** Normal with mean 0 and deviation 1, by Marsaglia's polar method. */
  normal(): number {
    if (this.#spare !== null) {
      const value = this.#spare;
      this.#spare = null;
      return value;
    }
    for (;;) {
      const u = 2 * this.uniform() - 1;
      const v = 2 * this.uniform() - 1;
      const square = u * u + v * v;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = v * factor;
      return u * factor;
    }
  }

  /**
   * Normal with mean 0 and deviation 1, drawn again outside [a, b]; a is below b. If hardly any
   * draw would lie inside, it is drawn from a density that lies closely above (Robert, "Simulation
   * of truncated normal variables", 1995).
   */
  truncatedNormal(a: number, b: number): number {
    if (b <= 0) return -this.truncatedNormal(-b, -a);
    const nearest = Math.max(a, 0);
    const isTail = nearest > 1 && nearest * (b - a) > 1;
    // The exponential density that touches the tail above a.
    const rate = (a + Math.hypot(a, 2)) / 2;
    for (;;) {
      if (isTail) {
        const z = a - Math.log(1 - this.uniform()) / rate;
        if (z <= b && this.uniform() <= Math.exp(-((z - rate) ** 2) / 2)) return z;
      } else if (b - a < 1) {
        const z = a + this.uniform() * (b - a);
        if (this.uniform() <= Math.exp(((nearest - z) * (nearest + z)) / 2)) return z;
      } else {
        const z = this.normal();
        if (z >= a && z <= b) return z;
      }
    }
  }
}
