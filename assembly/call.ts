/**
 * The arguments of a stage, as src/kernels/wasm/engine.ts writes them: unsigned 32-bit words.
 *
 * Pointers are bytes from the start of the memory: x, y and dy aligned to E, weight and bias to T,
 * per-channel statistics to 8 bytes; each points to the first channel of the run. A pointer of 0
 * is no argument. Up to 63 bytes past the end of the arrays are read, never used.
 *
 * A row holds `values` values of each channel side by side; plane stages take 16 bytes and more.
 */
@unmanaged
export class Call {
  /** Results: mean and M2, or sum(dy) and sum(dy * xhat), float64. */
  first: usize;
  second: usize;
  /** Result: y, or dx; may be an input. Of `valueBounds`: numbers for `valueWords`. */
  out: usize;
  dy: usize;
  x: usize;
  mean: usize;
  invstd: usize;
  weight: usize;
  bias: usize;
  /** The group's sums over its count; both or neither. */
  meanDy: usize;
  meanDyXhat: usize;
  /** Counts: channels may be 0; rows and values are 1 or more. */
  channels: usize;
  rows: usize;
  /** Bytes from one row to the next. */
  stride: usize;
  values: usize;
  /** Channels of the whole array: the numbers between an atom's sum and its products. */
  total: usize;
}
