/** An all-reduce of float64: what a synchronized layer of `channels` channels sends forward. */

export interface AllReduceTask {
  /** Elements: 2 C + 1. */
  readonly count: number;
}

/** A rank's numbers for the check: halves, whose sums are exact in any order. */
export function summands({ count }: AllReduceTask, rank: number): Float64Array {
  return Float64Array.from({ length: count }, (_, i) => (((i * 7 + rank * 13) % 101) - 50) / 2);
}

/** Largest difference of `got` from the sum over all ranks; 0 when it is right. */
export function errorOfSum(got: Float64Array, task: AllReduceTask, ranks: number): number {
  const want = new Float64Array(task.count);
  for (let rank = 0; rank < ranks; rank++) {
    const part = summands(task, rank);
    for (let i = 0; i < want.length; i++) want[i] += part[i];
  }
  let error = 0;
  for (let i = 0; i < want.length; i++) {
    const e = Math.abs(got[i] - want[i]);
    if (!(e <= error)) error = e;
  }
  return error;
}
