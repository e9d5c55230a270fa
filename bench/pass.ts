/**
 * One rank's forward and backward over a group: the order of calls that ops/ has, with the least
 * collective possible. Blocks of channels; a block is normalised while the next is summed up.
 */

import type { FloatArray } from '../src/core/dtype.js';
import { type Layout, valuesPerChannel } from '../src/core/layout.js';
import type { ChannelRange, Kernels } from '../src/kernels/kernels.js';
import type { Exchange } from './exchange.js';

export const EPS = 1e-5;

function rangesOf(channels: number, step: number): ChannelRange[] {
  const ranges: ChannelRange[] = [];
  for (let from = 0; from < channels; from += step) {
    ranges.push({ from, to: Math.min(channels, from + step) });
  }
  return ranges;
}

export class Pass {
  readonly layout: Layout;
  readonly x: FloatArray;
  readonly dy: FloatArray;
  readonly y: FloatArray;
  readonly dx: FloatArray;
  readonly weight: FloatArray;
  readonly bias: FloatArray;
  readonly mean: Float64Array;
  readonly m2: Float64Array;
  readonly invstd: Float64Array;
  readonly sums: { dy: Float64Array; dyXhat: Float64Array };
  readonly means: { dy: Float64Array; dyXhat: Float64Array };
  readonly #kernels: Kernels;
  readonly #exchange: Exchange;
  readonly #forward: ChannelRange[];
  readonly #backward: ChannelRange[];

  constructor(kernels: Kernels, exchange: Exchange, layout: Layout) {
    const { samples, channels, plane } = layout;
    const tensor = () => kernels.allocate('float32', samples * channels * plane);
    const perChannel = () => kernels.allocate('float64', channels);
    this.layout = layout;
    [this.x, this.dy, this.y, this.dx] = [tensor(), tensor(), tensor(), tensor()];
    this.weight = kernels.allocate('float32', channels);
    this.bias = kernels.allocate('float32', channels);
    [this.mean, this.m2, this.invstd] = [perChannel(), perChannel(), perChannel()];
    this.sums = { dy: perChannel(), dyXhat: perChannel() };
    this.means = { dy: perChannel(), dyXhat: perChannel() };
    this.#kernels = kernels;
    this.#exchange = exchange;
    this.#forward = rangesOf(channels, kernels.channelsPerBlock(layout, 'float32', 'forward'));
    this.#backward = rangesOf(channels, kernels.channelsPerBlock(layout, 'float32', 'backward'));
  }

  forward(): void {
    const { layout, x, y, mean, m2 } = this;
    const kernels = this.#kernels;
    const ranges = this.#forward;
    kernels.moments(mean, m2, x, layout, ranges[0]);
    this.#mergeMoments(ranges[0]);
    for (let k = 1; k < ranges.length; k++) {
      kernels.normalizeMoments(y, x, this, layout, ranges[k - 1], mean, m2, ranges[k]);
      this.#mergeMoments(ranges[k]);
    }
    kernels.normalize(y, x, this, layout, ranges[ranges.length - 1]);
  }

  backward(): void {
    const { layout, x, dy, dx, sums, means } = this;
    const kernels = this.#kernels;
    const ranges = this.#backward;
    kernels.gradientSums(sums, dy, x, this, layout, ranges[0]);
    this.#mergeSums(ranges[0]);
    for (let k = 1; k < ranges.length; k++) {
      kernels.inputGradientSums(dx, dy, x, this, means, layout, ranges[k - 1], sums, ranges[k]);
      this.#mergeSums(ranges[k]);
    }
    kernels.inputGradient(dx, dy, x, this, means, layout, ranges[ranges.length - 1]);
  }

  release(): void {
    const { x, dy, y, dx, weight, bias, mean, m2, invstd, sums, means } = this;
    const arrays = [x, dy, y, dx, weight, bias, mean, m2, invstd];
    for (const array of [...arrays, sums.dy, sums.dyXhat, means.dy, means.dyXhat]) {
      this.#kernels.release(array);
    }
  }

  /** Mean and invstd of the group, by the merge of core/moments.ts in rank order. */
  #mergeMoments({ from, to }: ChannelRange): void {
    const exchange = this.#exchange;
    const { mean, m2, invstd } = this;
    const n = valuesPerChannel(this.layout);
    exchange.gather(mean, m2, from, to);
    for (let c = from; c < to; c++) {
      let center = exchange.value(0, c - from, 0);
      let squares = exchange.value(0, c - from, 1);
      for (let rank = 1; rank < exchange.ranks; rank++) {
        const delta = exchange.value(rank, c - from, 0) - center;
        center += delta / (rank + 1);
        squares += exchange.value(rank, c - from, 1) + (delta * delta * n * rank) / (rank + 1);
      }
      mean[c] = center;
      invstd[c] = 1 / Math.sqrt(squares / (n * exchange.ranks) + EPS);
    }
  }

  #mergeSums({ from, to }: ChannelRange): void {
    const exchange = this.#exchange;
    const { sums, means } = this;
    const share = 1 / (valuesPerChannel(this.layout) * exchange.ranks);
    exchange.gather(sums.dy, sums.dyXhat, from, to);
    for (let c = from; c < to; c++) {
      let dy = 0;
      let dyXhat = 0;
      for (let rank = 0; rank < exchange.ranks; rank++) {
        dy += exchange.value(rank, c - from, 0);
        dyXhat += exchange.value(rank, c - from, 1);
      }
      means.dy[c] = dy * share;
      means.dyXhat[c] = dyXhat * share;
    }
  }
}
