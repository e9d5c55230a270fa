/** Numbers of positions and of channels, which are `repeat` positions each. */

import { valuesOfWords } from '../../core/exact-sum.js';
import type { ExactSums } from '../kernels.js';

/** Of sums for each position those of the channels, `repeat` positions each. */
export function ofPositions(sums: ExactSums, repeat: number): ExactSums {
  return {
    bounds: gather(sums.bounds, repeat, 0, Math.max),
    words(bounds) {
      spread(sums.bounds, bounds, repeat);
      return gather(sums.words(sums.bounds), repeat, 1, (a, b) => a + b);
    },
    values: valuesOfWords,
  };
}

/** Writes each of `values` `repeat` times. */
export function spread(target: Float64Array, values: Float64Array, repeat: number): void {
  if (repeat === 1) target.set(values);
  else for (let i = 0; i < values.length; i++) target.fill(values[i], i * repeat, (i + 1) * repeat);
}

/** Combines every `repeat` numbers to one, and has `spare` more. */
function gather(
  values: Float64Array,
  repeat: number,
  spare: number,
  combine: (a: number, b: number) => number,
): Float64Array {
  const gathered = new Float64Array(Math.floor(values.length / repeat) + spare);
  for (let i = 0; i < values.length - spare; i++) {
    const place = Math.floor(i / repeat);
    gathered[place] = combine(gathered[place], values[i]);
  }
  return gathered;
}
