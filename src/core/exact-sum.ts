/**
 * Sums that do not depend on the order or the grouping of their terms.
 *
 * Once all ranks know a bound, the largest magnitude of all terms, they round every term to a
 * multiple of one unit, 2^-49 to 2^-48 of the bound, and add integers. Rounding depends on the term
 * and the bound alone, and integer sums commute, so the result depends on neither order nor
 * grouping. It is off by at most half a unit for each term. (Demmel and Nguyen, "Parallel
 * Reproducible Summation", 2015, need no bound, at the price of more words.)
 *
 *     magic = 1.5 * 2^52 * unit,    (term + magic) - magic: the term, rounded
 *
 * A sum of integers has two words, so that sums of words in float64 are exact: upper * 2^26 +
 * lower. Terms that are not finite leave NaN.
 */

const LOWER = 2 ** 26;
/** Larger bounds have no magic number. */
const MOST_EXPONENT = 2042;

const number64 = new Float64Array(1);
const bits = new Uint32Array(number64.buffer);

/** Units by the exponents of bounds, made when they are needed; subnormal bounds have 2^-1071. */
const units: number[] = [2 ** -1071];

/** The unit of a grid: 2^-48 of the bound's power of two; NaN if there is none. */
function unitOf(bound: number): number {
  number64[0] = bound;
  const exponent = (bits[1] >>> 20) & 0x7ff;
  if (exponent > MOST_EXPONENT) return Number.NaN;
  bits[0] = 0;
  while (units.length <= exponent) {
    bits[1] = units.length << 20;
    units.push(number64[0] * 2 ** -48);
  }
  return units[exponent];
}

/** The words of the sum of `terms`, on the grid of `bound`. */
export function wordsOf(terms: Iterable<number>, bound: number): { upper: number; lower: number } {
  const unit = unitOf(bound);
  const magic = 1.5 * 2 ** 52 * unit;
  let [upper, lower] = [0, 0];
  for (const term of terms) {
    const integer = (term + magic - magic) / unit;
    const high = Math.floor(integer / LOWER);
    upper += high;
    lower += integer - high * LOWER;
  }
  return { upper, lower };
}

/**
 * Writes the sums that `words` stand for: all upper words, then all lower ones, added up over any
 * number of ranks.
 * @param values one for each of `bounds`
 */
export function valuesOfWords(
  values: Float64Array,
  words: Float64Array,
  bounds: Float64Array,
): void {
  const { length } = values;
  for (let i = 0; i < length; i++) {
    // One rounding, of a number that is the same for all groupings; scaling is exact.
    values[i] = (words[i] * LOWER + words[length + i]) * unitOf(bounds[i]);
  }
}
