/** What every implementation of the kernels must do under a mask. */

import { describe, expect, test } from 'vitest';
import type { FloatArray } from '../../src/core/dtype.js';
import type { Layout } from '../../src/core/layout.js';
import { type Mask, maskOf } from '../../src/core/mask.js';
import type { Kernels } from '../../src/kernels/kernels.js';
import { seeded, worstError } from './arrays.js';
import {
  all,
  type Case,
  expectNear,
  keptOracle,
  makeCase,
  oracleOf,
  runStages,
  type Source,
} from './cases.js';
import { layoutsOf } from './layouts.js';

/** Which places count: of some, of the first of each sample, of one, of none, and of all. */
const KINDS = ['some', 'first', 'one', 'none', 'all'] as const;

function makeMask(kind: (typeof KINDS)[number], { samples, plane }: Layout, zero: boolean): Mask {
  const random = seeded(samples + 31 * plane);
  const values = Array.from({ length: samples * plane }, (_, place) => {
    if (kind === 'some') return random() < 0.6 ? 1 + Math.floor(255 * random()) : 0;
    if (kind === 'first') return place % plane < (plane * (1 + (place % 3))) / 4 ? 1 : 0;
    if (kind === 'one') return place === Math.floor((samples * plane) / 2) ? 1 : 0;
    return kind === 'all' ? 1 : 0;
  });
  return maskOf(values, zero);
}

const masks = new Map<string, Mask>();

/** The mask of layout `i`, whatever its type, kept for all implementations. */
function keptMask(i: number, layout: Layout, zero: boolean): Mask {
  const key = `${i} ${zero}`;
  const mask = masks.get(key) ?? makeMask(KINDS[i % 5], layout, zero);
  masks.set(key, mask);
  return mask;
}

/** Visits all values: index, place in the mask, and channel. */
export function forEachValue(
  { samples, channels, plane, channelsLast }: Layout,
  visit: (i: number, place: number, channel: number) => void,
): void {
  for (let i = 0; i < samples * channels * plane; i++) {
    if (channelsLast) visit(i, Math.floor(i / channels), i % channels);
    else {
      const [row, p] = [Math.floor(i / plane), i % plane];
      visit(i, Math.floor(row / channels) * plane + p, row % channels);
    }
  }
}

/** Puts numbers that nothing may read where the mask does not count. */
function spoil(array: FloatArray, layout: Layout, value: number): void {
  forEachValue(layout, (i, place) => {
    if (layout.mask!.places[place] === 0) array[i] = value;
  });
}

/** The formulas of docs/derivation.md, value by value in float64. */
function derived(c: Case) {
  const { layout, x, dy, weight, bias } = c;
  const { channels, mask } = layout;
  const { places, count, zero } = mask!;
  const list = () => new Float64Array(channels);
  const [mean, m2, sumDy, sumDyXhat] = [list(), list(), list(), list()];
  const y = new Float64Array(x.length);
  const dx = new Float64Array(x.length);
  forEachValue(layout, (i, place, k) => {
    if (places[place] !== 0) mean[k] += x[i] / count;
  });
  forEachValue(layout, (i, place, k) => {
    if (places[place] !== 0) m2[k] += (x[i] - mean[k]) ** 2;
  });
  const invstd = m2.map((value) => 1 / Math.sqrt(value / Math.max(count, 1) + 1e-5));
  const hasOutput = (place: number) => places[place] !== 0 || !zero;
  forEachValue(layout, (i, place, k) => {
    if (!hasOutput(place)) return;
    const xhat = (x[i] - mean[k]) * invstd[k];
    y[i] = xhat * weight[k] + bias[k];
    sumDy[k] += dy[i];
    sumDyXhat[k] += dy[i] * xhat;
  });
  forEachValue(layout, (i, place, k) => {
    if (!hasOutput(place)) return;
    const xhat = (x[i] - mean[k]) * invstd[k];
    const moved = (sumDy[k] + xhat * sumDyXhat[k]) / count;
    dx[i] = weight[k] * invstd[k] * (dy[i] - (places[place] !== 0 ? moved : 0));
  });
  return { mean, m2, y, dx, sumDy, sumDyXhat };
}

/** The contract, for one implementation and one origin of arrays. */
export function describeMasks(name: string, make: () => Kernels, source: Source): void {
  describe.each(['float32', 'float64'] as const)(`${name} on %s under a mask`, (dtype) => {
    const layouts = [false, true]
      .flatMap((channelsLast) => layoutsOf(channelsLast, dtype))
      .filter(({ samples, channels, plane }) => samples * channels * plane <= 50_000);

    test.each([false, true])('agree with the plain kernels, zeros: %s', (zero) => {
      const kernels = make();
      for (const [i, bare] of layouts.entries()) {
        const layout = { ...bare, mask: keptMask(i, bare, zero) };
        const c = makeCase(kernels, source, layout);
        if (zero) for (const array of [c.x, c.dy]) spoil(array, layout, Number.NaN);
        runStages(kernels, c, [all(layout)]);
        const oracle = keptOracle(c, `mask ${i} ${dtype} ${zero}`);
        // One value has no variance, and eps alone makes invstd large.
        const steep = Math.max(1, ...oracle.invstd);
        expectNear(c, oracle, (dtype === 'float32' ? 1e-6 : 1e-11) * steep);
      }
    });

    test.each([false, true])('follow the formulas for every kind of mask, zeros: %s', (zero) => {
      const kernels = make();
      for (const [samples, plane] of [
        [2, 65],
        [9, 49],
        [30, 1],
        [5, 3],
      ]) {
        for (const channelsLast of [false, true]) {
          for (const kind of KINDS) {
            const bare = { samples, channels: 5, plane, channelsLast, dtype };
            const layout = { ...bare, mask: makeMask(kind, bare, zero) };
            const c = makeCase(kernels, source, layout, 3, 0.5);
            runStages(kernels, c, [all(layout)]);
            const want = derived(c);
            const most = dtype === 'float32' ? 1e-6 : 1e-11;
            const what = JSON.stringify({ ...bare, kind });
            const scale = Math.sqrt(samples * plane);
            const steep = Math.max(1, ...c.invstd);
            expect(worstError(c.mean, want.mean, 0), what).toBeLessThanOrEqual(most);
            expect(worstError(c.m2, want.m2, 1e-9), what).toBeLessThanOrEqual(most);
            expect(worstError(c.y, want.y, steep), what).toBeLessThanOrEqual(most);
            expect(worstError(c.sums.dy, want.sumDy, scale), what).toBeLessThanOrEqual(most);
            const products = scale * steep;
            expect(worstError(c.sums.dyXhat, want.sumDyXhat, products), what).toBeLessThanOrEqual(
              most,
            );
            expect(worstError(c.dx, want.dx, steep ** 2), what).toBeLessThanOrEqual(most);
          }
        }
      }
    });

    test('have moments that what does not count leaves alone, NaN and infinity included', () => {
      const kernels = make();
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 1e30]) {
        for (const channelsLast of [false, true]) {
          for (const plane of [1, 3, 65]) {
            const bare = { samples: 9, channels: 5, plane, channelsLast, dtype };
            const layout = { ...bare, mask: makeMask('some', bare, false) };
            const c = makeCase(kernels, source, layout);
            kernels.moments(c.mean, c.m2, c.x, layout, all(layout));
            const [mean, m2] = [c.mean.slice(), c.m2.slice()];
            spoil(c.x, layout, bad);
            kernels.moments(c.mean, c.m2, c.x, layout, all(layout));
            expect([...c.mean]).toEqual([...mean]);
            expect([...c.m2]).toEqual([...m2]);
          }
        }
      }
    });

    test('tell NaN, infinity, and what float32 squares can not hold, where it counts', () => {
      const kernels = make();
      for (const [scale, at] of [
        [1e-25, -1],
        [1e25, -1],
        [1, 4],
      ]) {
        for (const plane of [1, 65]) {
          const bare = { samples: 9, channels: 5, plane, channelsLast: false, dtype };
          const layout = { ...bare, mask: makeMask('all', bare, false) };
          const c = makeCase(kernels, source, layout, 0, scale);
          if (at >= 0) c.x[at * plane] = Number.POSITIVE_INFINITY;
          runStages(kernels, c, [all(layout)]);
          const finite = Array.from({ length: 5 }, (_, k) => k !== at);
          expect([...c.mean].map(Number.isFinite)).toEqual(finite);
          expect([...c.m2].map(Number.isFinite)).toEqual(finite);
          const oracle = oracleOf(c);
          expect(worstError(c.m2.subarray(0, 4), oracle.m2.subarray(0, 4), 0)).toBeLessThan(1e-6);
        }
      }
    });

    test('keep the variance of values far from 0', () => {
      const kernels = make();
      for (const ratio of dtype === 'float32' ? [1e3, 1e4] : [1e5]) {
        for (const [samples, plane, channelsLast] of [
          [8, 784, false],
          [16, 49, true],
          [999, 1, false],
        ] as const) {
          const bare = { samples, channels: 3, plane, channelsLast, dtype };
          const layout = { ...bare, mask: makeMask('some', bare, false) };
          const c = makeCase(kernels, source, layout, ratio * 0.1, 0.1);
          runStages(kernels, c, [all(layout)]);
          const oracle = oracleOf(c);
          expect(worstError(c.m2, oracle.m2, 0), `m2 at ${ratio}`).toBeLessThanOrEqual(1e-6);
          expect(worstError(c.mean, oracle.mean, 0)).toBeLessThanOrEqual(1e-9);
        }
      }
    });

    test('work on parts of the channels, over inputs, and without means', () => {
      const kernels = make();
      for (const zero of [false, true]) {
        for (const [samples, plane] of [
          [2, 67],
          [9, 3],
          [9, 1],
        ]) {
          for (const channelsLast of [false, true]) {
            const bare = { samples, channels: 23, plane, channelsLast, dtype };
            const layout = { ...bare, mask: makeMask('some', bare, zero) };
            const c = makeCase(kernels, source, layout);
            const parts = [0, 1, 9, 9, 22, 23];
            const ranges = parts.slice(1).map((to, i) => ({ from: parts[i], to }));
            runStages(kernels, c, ranges);
            const oracle = oracleOf(c);
            expectNear(c, oracle);
            const [x, dy, dx] = [c.x.slice(), c.dy.slice(), c.dx.slice()];
            kernels.inputGradient(c.x, c.dy, c.x, c, c.means, layout, all(layout));
            expect(worstError(c.x, dx, 1)).toBeLessThanOrEqual(1e-6);
            c.x.set(x);
            kernels.inputGradient(c.dy, c.dy, c.x, c, c.means, layout, all(layout));
            expect(worstError(c.dy, dx, 1)).toBeLessThanOrEqual(1e-6);
            c.dy.set(dy);
            kernels.inputGradient(c.dx, c.dy, c.x, c, null, layout, all(layout));
            forEachValue(layout, (i, place, k) => {
              const has = !zero || layout.mask.places[place] !== 0;
              const want = has ? c.weight[k] * c.invstd[k] * c.dy[i] : 0;
              if (!(Math.abs(c.dx[i] - want) <= 1e-6)) expect.fail(`dx[${i}] ${c.dx[i]}, ${want}`);
            });
            kernels.normalize(c.x, c.x, c, layout, all(layout));
            expect(worstError(c.x, oracle.y, 1)).toBeLessThanOrEqual(1e-6);
          }
        }
      }
    });
  });
}
