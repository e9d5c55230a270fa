/**
 * The oracle: batch normalization of the concatenated batch, written from SEMANTICS' formulas
 * alone, in float64 and two passes. It shares no code with src.
 */

/** One rank's part of the batch, channel axis 1, or last. */
export interface Part {
  x: readonly number[];
  dy: readonly number[];
  shape: readonly number[];
  /** For each sample and position whether its values count; default: all. */
  mask?: readonly number[];
  /** Added to what is normalised; default: nothing. */
  add?: readonly number[];
}

export interface OracleOptions {
  channels: number;
  channelsLast: boolean;
  eps: number;
  weight: readonly number[];
  bias: readonly number[];
  /** Whether y and dx are 0 where the mask does not count, and dy is left out. */
  zero?: boolean;
  /** True if outputs below 0 become 0. */
  rectify?: boolean;
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
  ranks: OracleRank[];
}

export interface OracleRank {
  y: number[];
  dx: number[];
  /** The gradient of what was added. */
  dadd: number[];
  dweight: number[];
  dbias: number[];
  /** Sums of the magnitudes of what y, dweight and dbias add up: errors are relative to them. */
  terms: { y: number[]; dweight: number[]; dbias: number[] };
}

export function oracle(parts: readonly Part[], options: OracleOptions): OracleResult {
  const { channels, eps, weight, bias, fixed, zero = false, rectify = false } = options;
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

  const counts = (part: Part, i: number) => (part.mask?.[placeOf(part, i, options)] ?? 1) !== 0;
  /** Sum over what counts, or has outputs. */
  const counted = (c: number, term: (part: Part, i: number) => number) =>
    total(c, (p, i) => (counts(p, i) ? term(p, i) : 0));
  const hasOutput = (part: Part, i: number) => !zero || counts(part, i);
  const output = (value: (part: Part, i: number) => number) => (p: Part, i: number) =>
    hasOutput(p, i) ? value(p, i) : 0;

  const count = counted(0, () => 1);
  const mean = indices.map((c) => (count === 0 ? 0 : counted(c, (p, i) => p.x[i]) / count));
  const m2 = indices.map((c) => counted(c, (p, i) => (p.x[i] - mean[c]) ** 2));
  const center = fixed?.mean ?? mean;
  const variance = fixed?.variance ?? m2.map((sum) => (count === 0 ? 0 : sum / count));
  const invstd = variance.map((v) => 1 / Math.sqrt(v + eps));
  const xhat = (part: Part, i: number) => {
    const c = channel(part, i);
    return (part.x[i] - center[c]) * invstd[c];
  };
  /** The output before it is rectified, which lets dy through where it is above 0. */
  const sum = (part: Part, i: number) => {
    const c = channel(part, i);
    return xhat(part, i) * weight[c] + bias[c] + (part.add?.[i] ?? 0);
  };
  const dyOf = output((p, i) => (rectify && sum(p, i) <= 0 ? 0 : p.dy[i]));
  const product = output((p, i) => dyOf(p, i) * xhat(p, i));
  const meanDy = indices.map((c) => total(c, dyOf) / count);
  const meanDyXhat = indices.map((c) => total(c, product) / count);
  const inputGradient = (part: Part, i: number) => {
    const c = channel(part, i);
    const through =
      fixed === undefined && counts(part, i)
        ? dyOf(part, i) - meanDy[c] - xhat(part, i) * meanDyXhat[c]
        : dyOf(part, i);
    return weight[c] * invstd[c] * through;
  };
  const normalized = output((p, i) => (rectify ? Math.max(0, sum(p, i)) : sum(p, i)));
  const magnitude = (part: Part, i: number) => {
    const c = channel(part, i);
    return Math.abs(xhat(part, i) * weight[c]) + Math.abs(bias[c]) + Math.abs(part.add?.[i] ?? 0);
  };
  const ranks = parts.map((part) => ({
    y: part.x.map((_, i) => normalized(part, i)),
    dx: part.x.map((_, i) => output(inputGradient)(part, i)),
    dadd: part.x.map((_, i) => dyOf(part, i)),
    dweight: indices.map((c) => partial(part, c, product)),
    dbias: indices.map((c) => partial(part, c, dyOf)),
    terms: {
      y: part.x.map((_, i) => magnitude(part, i)),
      dweight: indices.map((c) => partial(part, c, (p, i) => Math.abs(product(p, i)))),
      dbias: indices.map((c) => partial(part, c, (p, i) => Math.abs(dyOf(p, i)))),
    },
  }));
  return { count, mean, m2, invstd, ranks };
}

function channelsOf({ shape, x }: Part, { channels, channelsLast }: OracleOptions): number[] {
  const plane = shape.slice(2).reduce((product, size) => product * size, 1);
  return x.map((_, i) => (channelsLast ? i : Math.floor(i / plane)) % channels);
}

/** Sample and position of an element, as a mask has them. */
function placeOf({ shape }: Part, i: number, { channels, channelsLast }: OracleOptions): number {
  if (channelsLast) return Math.floor(i / channels);
  const plane = shape.slice(2).reduce((product, size) => product * size, 1);
  return Math.floor(i / (channels * plane)) * plane + (i % plane);
}
