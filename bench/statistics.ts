/** What is told of a list of times. */

/** Microseconds a call. */
export interface Spread {
  readonly min: number;
  /** 10th percentile. */
  readonly low: number;
  readonly median: number;
  /** 90th percentile. */
  readonly high: number;
  /** Samples. */
  readonly runs: number;
}

/** The spread of one or more times. */
export function spreadOf(times: readonly number[]): Spread {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
  return { min: at(0), low: at(0.1), median: at(0.5), high: at(0.9), runs: sorted.length };
}
