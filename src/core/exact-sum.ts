/**
 * Sums of float64 numbers that do not depend on the order or the grouping of the terms.
 *
 * Each term is cut into digits on a fixed grid, multiples of 2^(26 j); a float64 spans four of
 * them at most, and each digit is an integer below 2^26, so that up to 2^27 terms add without
 * rounding. Digits depend on the term alone and integer sums commute, hence the result does too.
 * Of the sum, the WINDOW digits below the largest term's are kept: 130 bits or more.
 * After Demmel and Nguyen, "Parallel Reproducible Summation" (2015).
 *
 * Packed, a sum is [top, WINDOW digits from the top down, sum of the infinite and NaN terms].
 */

const DIGIT_BITS = 26;
const DIGIT = 2 ** DIGIT_BITS;
/** Digit index of the smallest bin; 2^(26 * -41) is below all but the last 8 subnormal bits. */
const LOWEST = -41;
const HIGHEST = 39;
const BINS = HIGHEST - LOWEST + 1;
const WINDOW = 6;
const DIGITS_OF_A_TERM = 4;

/** Length of a packed sum. */
export const PACKED_SUM = WINDOW + 2;
/** `top` of a sum without terms, or of zeros alone. */
const EMPTY = LOWEST - 1;

const grid = Float64Array.from({ length: BINS }, (_, bin) => 2 ** (DIGIT_BITS * (bin + LOWEST)));

export class ExactSum {
  readonly #digits = new Float64Array(BINS);
  #top = EMPTY;
  #special = 0;

  /** Forgets all terms. */
  clear(): void {
    this.#digits.fill(0);
    this.#top = EMPTY;
    this.#special = 0;
  }

  add(term: number): void {
    if (term === 0) return;
    if (!Number.isFinite(term)) {
      this.#special += term;
      return;
    }
    const top = topDigit(term);
    if (top > this.#top) this.#top = top;
    let rest = term;
    for (let j = top; j > top - DIGITS_OF_A_TERM && j >= LOWEST && rest !== 0; j--) {
      const unit = grid[j - LOWEST];
      // Dividing by a power of two and subtracting the multiple are both exact. Truncated, since
      // the largest numbers rounded up to a multiple would be infinite.
      const digit = Math.trunc(rest / unit);
      this.#digits[j - LOWEST] += digit;
      rest -= digit * unit;
    }
  }

  /** Writes the packed sum into `out` from `at` on. */
  pack(out: Float64Array, at: number): void {
    out[at] = this.#top;
    for (let i = 0; i < WINDOW; i++) {
      const j = this.#top - i;
      out[at + 1 + i] = j >= LOWEST ? this.#digits[j - LOWEST] : 0;
    }
    out[at + 1 + WINDOW] = this.#special;
  }

  /** Adds a packed sum: the same as adding its terms. */
  merge(packed: Float64Array, at: number): void {
    const top = packed[at];
    if (top > this.#top) this.#top = top;
    for (let i = 0; i < WINDOW && top - i >= LOWEST; i++) {
      this.#digits[top - i - LOWEST] += packed[at + 1 + i];
    }
    this.#special += packed[at + 1 + WINDOW];
  }

  /** The sum, rounded. Only the digits that every grouping of the terms has kept count. */
  value(): number {
    if (this.#special !== 0) return this.#special;
    if (this.#top === EMPTY) return 0;
    let sum = 0;
    let carry = 0;
    // Upwards in units of each digit. With its carry moved on, no digit outweighs the one above,
    // so nothing that counts is rounded off before digits of opposite signs have cancelled.
    for (let j = Math.max(LOWEST, this.#top - WINDOW + 1); j <= this.#top; j++) {
      const digit = this.#digits[j - LOWEST] + carry;
      carry = j === this.#top ? 0 : Math.round(digit / DIGIT);
      sum = digit - carry * DIGIT + sum / DIGIT;
    }
    return sum * grid[this.#top - LOWEST];
  }
}

/** Index of the highest digit that `term` can have: |term| < 2^(26 (j + 1)). */
function topDigit(term: number): number {
  let j = Math.floor(Math.log2(Math.abs(term)) / DIGIT_BITS);
  // log2 rounds: a term just below a power of two may seem to reach it.
  if (j > LOWEST && Math.abs(term) < grid[Math.min(j, HIGHEST) - LOWEST]) j--;
  return Math.min(HIGHEST, Math.max(LOWEST, j));
}
