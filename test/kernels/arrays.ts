/** Seeded inputs for kernel tests, and how far results may be from the float64 reference. */

import type { FloatArray } from '../../src/core/dtype.js';

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Normal numbers (Box and Muller), drawn once: a prime number of them, more than any array has. */
let normals: Float64Array | undefined;
const NORMALS = 1_000_003;

function drawNormals(): Float64Array {
  const random = seeded(1);
  return Float64Array.from({ length: NORMALS }, () => {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    return radius * Math.cos(2 * Math.PI * random());
  });
}

/** Fills with normal numbers, from a place that `random` chooses. */
export function fillNormal(array: FloatArray, random: () => number, mean = 0, std = 1): void {
  normals ??= drawNormals();
  let from = Math.floor(random() * NORMALS);
  for (let i = 0; i < array.length; i++) {
    array[i] = mean + std * normals[from];
    from = from + 1 === NORMALS ? 0 : from + 1;
  }
}

/** The largest |got - want| / (absolute + |want|), NaN where one of the two is NaN alone. */
export function worstError(got: FloatArray, want: FloatArray, absolute: number): number {
  if (got.length !== want.length) return Number.NaN;
  let worst = 0;
  for (let i = 0; i < got.length; i++) {
    if (Object.is(got[i], want[i]) || (Number.isNaN(got[i]) && Number.isNaN(want[i]))) continue;
    const error = Math.abs(got[i] - want[i]) / (absolute + Math.abs(want[i]));
    if (!(error <= worst)) worst = error;
  }
  return worst;
}
