/** Targets as the lists that collectives take: those that travel as float32, and float64 ones. */

import { type FloatArray, narrow, widen } from '../core/dtype.js';
import { copyPart } from '../group/rounds/contributions.js';
import type { ArrayList } from '../group/transport.js';
import type { Target } from './targets.js';

/** Bytes that each array begins at a multiple of. */
const ALIGNMENT = 16;

export class TargetList implements ArrayList {
  readonly count: number;
  readonly length: number;
  /** An array of the kind that travels. */
  readonly like: FloatArray;
  readonly #targets: readonly Target[];
  /** First element of each target. */
  readonly #starts: Float64Array;
  /** The target of the previous call: the next one begins near it. */
  #last = 0;

  constructor(targets: readonly Target[], like: FloatArray) {
    const unit = ALIGNMENT / like.BYTES_PER_ELEMENT;
    this.like = like;
    this.#targets = targets;
    this.#starts = new Float64Array(targets.length);
    let [at, count] = [0, 0];
    targets.forEach(({ length }, i) => {
      this.#starts[i] = at;
      count += length;
      at += Math.ceil(length / unit) * unit;
    });
    this.count = count;
    this.length = at;
  }

  read(target: FloatArray, from: number): void {
    const to = from + target.length;
    for (let i = this.#at(from); i < this.#targets.length && this.#starts[i] < to; i++) {
      const start = this.#starts[i];
      const { data, dtype, length } = this.#targets[i];
      const [first, last] = [Math.max(from - start, 0), Math.min(to - start, length)];
      if (first >= last) continue;
      const place = start + first - from;
      if (data === null) target.fill(0, place, place + last - first);
      else if (data instanceof Uint16Array) {
        target.set(widen(data.subarray(first, last), dtype), place);
      } else copyPart(target, place, data, first, last - first);
    }
  }

  write(source: FloatArray, from: number): void {
    const to = from + source.length;
    for (let i = this.#at(from); i < this.#targets.length && this.#starts[i] < to; i++) {
      const start = this.#starts[i];
      const { data, dtype, length } = this.#targets[i];
      const [first, last] = [Math.max(from - start, 0), Math.min(to - start, length)];
      if (first >= last || data === null) continue;
      const place = start + first - from;
      if (data instanceof Uint16Array) {
        narrow(source.subarray(place, place + last - first), data.subarray(first, last), dtype);
      } else copyPart(data, first, source, place, last - first);
    }
  }

  /** The last target that begins at or before element `from`. */
  #at(from: number): number {
    let i = this.#last;
    while (i > 0 && this.#starts[i] > from) i--;
    while (i + 1 < this.#starts.length && this.#starts[i + 1] <= from) i++;
    this.#last = i;
    return i;
  }
}

/** The lists of `targets`, without empty ones. */
export function listsOf(targets: readonly Target[]): TargetList[] {
  const isDouble = ({ dtype }: Target) => dtype === 'float64';
  const singles = targets.filter((target) => !isDouble(target));
  const doubles = targets.filter(isDouble);
  return [
    new TargetList(singles, new Float32Array()),
    new TargetList(doubles, new Float64Array()),
  ].filter(({ count }) => count > 0);
}
