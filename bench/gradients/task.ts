/** Gradients of ResNet-50, 25.5 million float32 in 161 arrays, and all-reduces of one array. */

/** Numbers of each array, in the order of the network. */
export interface GradientTask {
  readonly lengths: readonly number[];
}

/** Width and blocks of the network's four groups (He et al., "Deep Residual Learning", 2015). */
const GROUPS = [
  [64, 3],
  [128, 4],
  [256, 6],
  [512, 3],
] as const;

export function resNet50(): GradientTask {
  // A convolution, and weight and bias of the normalisation behind it.
  const normalized = (inputs: number, outputs: number, side: number) => [
    inputs * outputs * side * side,
    outputs,
    outputs,
  ];
  const lengths = normalized(3, 64, 7);
  let inputs = 64;
  for (const [width, blocks] of GROUPS) {
    for (let block = 0; block < blocks; block++) {
      lengths.push(...normalized(inputs, width, 1), ...normalized(width, width, 3));
      lengths.push(...normalized(width, 4 * width, 1));
      if (block === 0) lengths.push(...normalized(inputs, 4 * width, 1));
      inputs = 4 * width;
    }
  }
  lengths.push(inputs * 1000, 1000);
  return { lengths };
}

/** Numbers of each all-reduce. */
export const SUMS = [25_000_000, 1_000_000, 100_000] as const;

/** Halves, whose means are exact on 2, 4 and 8 ranks; mpi.c has the same. */
function elementOf(rank: number, array: number, i: number): number {
  return (((i * 7 + array * 3 + rank * 13) % 101) - 50) / 2;
}

/** Writes a rank's gradients. */
export function fillGradients(arrays: readonly Float32Array[], rank: number): void {
  arrays.forEach((array, a) => {
    for (let i = 0; i < array.length; i++) array[i] = elementOf(rank, a, i);
  });
}

/** Largest difference from the ranks' sum over `divisor`: from the mean, unless it is given. */
export function errorOfMeans(
  arrays: readonly Float32Array[],
  ranks: number,
  divisor = ranks,
): number {
  let error = 0;
  arrays.forEach((array, a) => {
    for (let i = 0; i < array.length; i++) {
      let sum = 0;
      for (let rank = 0; rank < ranks; rank++) sum += elementOf(rank, a, i);
      const e = Math.abs(array[i] - Math.fround(sum / divisor));
      if (!(e <= error)) error = e;
    }
  });
  return error;
}
