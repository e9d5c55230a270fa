/**
 * The oracle: batch normalization of the concatenated batch, written from SEMANTICS' formulas
 * alone, in float64 and two passes. It shares no code with src.
 */

/** One rank's part of the batch, channel axis 1, or last. */
export interface Part {
  x: readonly number[];
  dy: readonly number[];
  shape: readonly number[];
}

export interface OracleOptions {
  channels: number;
  channelsLast: boolean;
  eps: number;
  weight: readonly number[];
  bias: readonly number[];
  /** Mean and variance to take instead of the batch's. */
  fixed?: { mean: readonly number[]; variance: readonly number[] };
}

export interface OracleResult {
  /** Values per channel over all ranks. */
  count: number;
  mean: number[];
  /** Sum of squares about the mean. */
  m2: number[];
  /** 1 / sqrt(variance + eps), of the batch's variance or the fixed one. */
  invstd: number[];
  ranks: { y: number[]; dx: number[]; dweight: number[]; dbias: number[] }[];
}

export function oracle(parts: readonly Part[], options: OracleOptions): OracleResult {
  const { channels, eps, weight, bias, fixed } = options;
  const indices = Array.from({ length: channels }, (_, c) => c);
  /** The channel of each element, found once. */
  const table = new Map(parts.map((part) => [part, channelsOf(part, options)]));
  const channel = (part: Part, i: number) => table.get(part)![i];
  /** Sum over a rank's elements of one channel. */
  const partial = (part: Part, c: number, term: (part: Part, i: number) => number) => {
    let sum = 0;
    table.get(part)!.forEach((own, i) => {
      if (own === c) sum += term(part, i);
    });
    return sum;
  };
  /** Sum over all ranks' elements of one channel. */
  const total = (c: number, term: (part: Part, i: number) => number) =>
    parts.reduce((sum, part) => sum + partial(part, c, term), 0);

  const count = total(0, () => 1);
  const mean = indices.map((c) => (count === 0 ? 0 : total(c, (p, i) => p.x[i]) / count));
  const m2 = indices.map((c) => total(c, (p, i) => (p.x[i] - mean[c]) ** 2));
  const center = fixed?.mean ?? mean;
  const variance = fixed?.variance ?? m2.map((sum) => (count === 0 ? 0 : sum / count));
  const invstd = variance.map((v) => 1 / Math.sqrt(v + eps));
  const xhat = (part: Part, i: number) => {
    const c = channel(part, i);
    return (part.x[i] - center[c]) * invstd[c];
  };
  const meanDy = indices.map((c) => total(c, (p, i) => p.dy[i]) / count);
  const meanDyXhat = indices.map((c) => total(c, (p, i) => p.dy[i] * xhat(p, i)) / count);
  const inputGradient = (part: Part, i: number) => {
    const c = channel(part, i);
    const through =
      fixed === undefined ? part.dy[i] - meanDy[c] - xhat(part, i) * meanDyXhat[c] : part.dy[i];
    return weight[c] * invstd[c] * through;
  };
  const ranks = parts.map((part) => ({
    y: part.x.map((_, i) => xhat(part, i) * weight[channel(part, i)] + bias[channel(part, i)]),
    dx: part.x.map((_, i) => inputGradient(part, i)),
    dweight: indices.map((c) => partial(part, c, (p, i) => p.dy[i] * xhat(p, i))),
    dbias: indices.map((c) => partial(part, c, (p, i) => p.dy[i])),
  }));
  return { count, mean, m2, invstd, ranks };
}

function channelsOf({ shape, x }: Part, { channels, channelsLast }: OracleOptions): number[] {
  const plane = shape.slice(2).reduce((product, size) => product * size, 1);
  return x.map((_, i) => (channelsLast ? i : Math.floor(i / plane)) % channels);
}
