/** Lists of gradients that go through a group piece by piece, and the averages that they must give. */

import { type DType, Tensor } from 'syncbn';
import { type AverageScript, type Entry, elementOf, type Results } from '../ranks/averages.js';

const single = (...lengths: number[]): Entry[] =>
  lengths.map((length) => ({ dtype: 'float32', length }));

/** About the lengths of pieces, parts and vectors; of all types; in odd places; missing on ranks. */
export const SCRIPTS: readonly AverageScript[] = [
  { entries: single(1, 64, 65, 0, 3, 21_900, 16, 34_001, 5) },
  {
    entries: [
      { dtype: 'bfloat16', length: 1001 },
      { dtype: 'float64', length: 3001 },
      { dtype: 'float32', length: 2000, offset: 1 },
      { dtype: 'float16', length: 77 },
      { dtype: 'float64', length: 1 },
      { dtype: 'float32', length: 1000, offset: 3 },
    ],
  },
  { entries: single(32_768), counts: [3, 0, 5, 1, 2, 7, 4] },
  { entries: single(3000, 10), counts: [3, 0, 5, 1, 2, 7, 4], spoilt: 1 },
  { entries: single(3000, 10), counts: [3, 0, 5, 1, 2, 7, 4], lossReduction: 'sum' },
  { entries: single(3000), counts: [0, 0, 0, 0, 0, 0, 0], spoilt: 0 },
  {
    entries: [
      { dtype: 'float32', length: 2500, missing: [] },
      { dtype: 'float32', length: 2600, missing: [0] },
      { dtype: 'float64', length: 2700, missing: [0, 1, 2, 3, 4, 5, 6] },
    ],
  },
  // In the kernels' memory, which grows in between.
  {
    entries: [
      { dtype: 'float32', length: 200_003, allocated: true },
      { dtype: 'float32', length: 0, allocated: true },
      { dtype: 'float32', length: 3, offset: 3, allocated: true },
      { dtype: 'float32', length: 150_001, offset: 1, allocated: true },
      { dtype: 'float64', length: 140_001, offset: 1, allocated: true },
    ],
    counts: [3, 0, 5, 1, 2, 7, 4],
    spoilt: 1,
  },
  // Of both memories.
  {
    entries: [
      { dtype: 'float32', length: 200_003, allocated: true },
      { dtype: 'float32', length: 100_003 },
    ],
  },
];

/** Numbers as `dtype` has them; 16-bit types travel as float32. */
function rounded(values: Float64Array, dtype: DType): Float64Array {
  const sent = dtype === 'float64' ? values : Float32Array.from(values);
  return Float64Array.from(Tensor.from(sent, [values.length], dtype).toFloats());
}

/** What averages must be, to the bit: in rank order, in float64, rounded once. */
export function averagesOf(script: AverageScript, size: number): Results {
  const { entries, counts, lossReduction } = script;
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const weights = ranks.map((r) => (lossReduction === 'sum' ? 1 : (counts?.[r] ?? 1)));
  const divisor = ranks.reduce((sum, r) => sum + (counts?.[r] ?? 1), 0);
  return entries.map(({ dtype, length, missing }, e) => {
    const given = ranks.filter((r) => missing?.includes(r) !== true);
    if (given.length === 0) return null;
    const stored = given.map((r) =>
      rounded(
        Float64Array.from({ length }, (_, i) => elementOf(r, e, i)),
        dtype,
      ),
    );
    const values = Float64Array.from({ length }, (_, i) => {
      if (divisor === 0) return 0;
      // With one rank, its own means stay as they are.
      if (size === 1 && weights[0] === divisor) return stored[0][i];
      let sum = -0;
      given.forEach((r, g) => {
        if (weights[r] !== 0) sum += weights[r] * stored[g][i];
      });
      return dtype === 'float64' ? sum / divisor : sum * (1 / divisor);
    });
    return rounded(values, dtype);
  });
}

/** Rank 0's numbers. */
export function valuesOfRoot({ entries }: AverageScript): Results {
  return entries.map(({ dtype, length }, e) =>
    rounded(
      Float64Array.from({ length }, (_, i) => elementOf(0, e, i)),
      dtype,
    ),
  );
}

/** The first difference to the bit, in words; '' if there is none. */
export function differenceOf(got: Results, want: Results): string {
  for (let e = 0; e < want.length; e++) {
    const [mine, theirs] = [got[e], want[e]];
    if (mine === null || theirs === null) {
      if (mine !== theirs) return `entry ${e} is ${mine === null ? '' : 'not '}missing`;
      continue;
    }
    if (mine.length !== theirs.length) return `entry ${e} has ${mine.length} elements`;
    const i = mine.findIndex((value, place) => !Object.is(value, theirs[place]));
    if (i >= 0) return `entry ${e}[${i}] is ${mine[i]}, not ${theirs[i]}`;
  }
  return '';
}
