/** What every implementation of the kernels must do: the plain float64 ones are the oracle. */

import { describe, expect, test } from 'vitest';
import { mergeRanks, packedLength } from '../../src/core/moments.js';
import type { Kernels } from '../../src/kernels/kernels.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { seeded } from './arrays.js';
import {
  all,
  expectNear,
  expectSameBits,
  foreign,
  keptOracle,
  makeCase,
  oracleOf,
  runStages,
  type Source,
} from './cases.js';
import { layoutsInParts, layoutsOf, PARTS } from './layouts.js';

/** The contract, for one implementation and one origin of arrays. */
export function describeContract(name: string, make: () => Kernels, source: Source): void {
  describe.each(['float32', 'float64'] as const)(`${name} on %s`, (dtype) => {
    test.each([false, true])('agree with the plain kernels, channels last: %s', (channelsLast) => {
      const kernels = make();
      for (const layout of layoutsOf(channelsLast, dtype)) {
        const c = makeCase(kernels, source, layout);
        runStages(kernels, c, [all(layout)]);
        expectNear(c, keptOracle(c, JSON.stringify(layout)));
      }
    });

    test.each([false, true])('work on parts of the channels, channels last: %s', (channelsLast) => {
      const kernels = make();
      for (const layout of layoutsInParts(channelsLast, dtype)) {
        const c = makeCase(kernels, source, layout);
        runStages(kernels, c, [...PARTS]);
        expectNear(c, oracleOf(c));
      }
    });

    if (source !== foreign) {
      // Over 8 MiB: as many samples as go side by side and three more, planes that end in a vector.
      test.each([
        ['planes of one vector and more', 7, 3, dtype === 'float32' ? 100_001 : 50_001],
        ['small planes', dtype === 'float32' ? 2731 : 1367, 16, 49],
      ])(
        'take samples of arrays in memory side by side: %s',
        (_, samples, channels, plane) => {
          const kernels = make();
          const layout = { samples, channels, plane, channelsLast: false, dtype };
          for (const mean of [0.3, 20]) {
            const c = makeCase(kernels, source, layout, mean);
            runStages(kernels, c, [
              { from: 0, to: 1 },
              { from: 1, to: channels },
            ]);
            expectNear(c, oracleOf(c));
            for (const array of [c.x, c.dy, c.y, c.dx]) kernels.release(array);
          }
        },
        60_000,
      );
    }

    test('leave channels outside the range alone', () => {
      const kernels = make();
      for (const plane of [3, 49, 65]) {
        for (const samples of [2, 9]) {
          const layout = { samples, channels: 5, plane, channelsLast: false, dtype };
          const c = makeCase(kernels, source, layout);
          for (const array of [c.y, c.dx, c.mean, c.m2]) array.fill(77);
          runStages(kernels, c, [{ from: 2, to: 3 }]);
          const outside = (_: number, i: number) => Math.floor(i / plane) % 5 !== 2;
          expect([...c.y].filter(outside)).toEqual(Array(samples * 4 * plane).fill(77));
          expect([...c.dx].filter(outside)).toEqual(Array(samples * 4 * plane).fill(77));
          expect([...c.mean].filter((v) => v === 77)).toHaveLength(4);
          expect([...c.m2].filter((v) => v === 77)).toHaveLength(4);
        }
      }
    });

    test('write over their inputs', () => {
      const kernels = make();
      for (const channelsLast of [false, true]) {
        for (const [samples, plane] of [
          [2, 67],
          [9, 49],
          [5, 3],
        ]) {
          const layout = { samples, channels: 7, plane, channelsLast, dtype };
          const c = makeCase(kernels, source, layout);
          runStages(kernels, c, [all(layout)]);
          const [y, dx] = [c.y.slice(), c.dx.slice()];
          const [x, dy] = [c.x.slice(), c.dy.slice()];
          kernels.inputGradient(c.x, c.dy, c.x, c, c.means, layout, all(layout));
          expect(c.x).toEqual(dx);
          c.x.set(x);
          kernels.inputGradient(c.dy, c.dy, c.x, c, c.means, layout, all(layout));
          expect(c.dy).toEqual(dx);
          c.dy.set(dy);
          kernels.normalize(c.x, c.x, c, layout, all(layout));
          expect(c.x).toEqual(y);
        }
      }
    });

    test('take no weight, no bias, and statistics that did not come from the batch', () => {
      const kernels = make();
      for (const plane of [1, 49, 100]) {
        const layout = { samples: 9, channels: 4, plane, channelsLast: false, dtype };
        const c = makeCase(kernels, source, layout);
        runStages(kernels, c, [all(layout)]);
        const oracle = oracleOf(c);
        const bare = { weight: null, bias: null };
        kernels.normalize(c.y, c.x, { ...c, ...bare }, layout, all(layout));
        kernels.inputGradient(c.dx, c.dy, c.x, { ...c, ...bare }, null, layout, all(layout));
        const by = { ...oracle, ...bare };
        plainKernels.normalize(oracle.y, oracle.x, by, layout, all(layout));
        plainKernels.inputGradient(oracle.dx, oracle.dy, oracle.x, by, null, layout, all(layout));
        expectNear(c, oracle);
      }
    });

    test('propagate NaN and infinity, in their channel only', () => {
      const kernels = make();
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
        for (const channelsLast of [false, true]) {
          for (const plane of [1, 49, 65]) {
            for (let at = 0; at < 9 * plane; at += plane === 1 ? 1 : 5) {
              const layout = { samples: 9, channels: 3, plane, channelsLast, dtype };
              const c = makeCase(kernels, source, layout);
              const [n, p] = [Math.floor(at / plane), at % plane];
              c.x[channelsLast ? (n * plane + p) * 3 + 1 : (n * 3 + 1) * plane + p] = bad;
              runStages(kernels, c, [all(layout)]);
              expect([...c.m2].map(Number.isFinite)).toEqual([true, false, true]);
              expect([...c.mean].map(Number.isFinite)).toEqual([true, false, true]);
              expect([...c.sums.dyXhat].map(Number.isFinite)).toEqual([true, false, true]);
              expect(c.y.filter(Number.isFinite)).toHaveLength(2 * 9 * plane);
            }
          }
        }
      }
    });

    test('merge moments and invert deviations as core/moments.ts does', () => {
      const kernels = make();
      const random = seeded(5);
      for (const channels of [0, 1, 2, 5, 8]) {
        for (const counts of [[4], [4, 9], [0, 3, 0, 5], [0, 0]]) {
          const stride = packedLength(channels) + 2;
          const gathered = source(kernels, 'float64', counts.length * stride) as Float64Array;
          for (let i = 0; i < gathered.length; i++) gathered[i] = Math.abs(random());
          counts.forEach((count, rank) => {
            gathered[rank * stride] = count;
          });
          const [mean, m2, invstd] = [0, 1, 2].map(() =>
            (source(kernels, 'float64', channels) as Float64Array).fill(77),
          );
          const want = mergeRanks(gathered, stride, counts.length, channels);
          const count = kernels.mergeMoments(mean, m2, gathered, counts.length, stride);
          expect(count).toBe(want.count);
          expect([...mean]).toEqual([...want.mean]);
          expect([...m2]).toEqual([...want.m2]);
          kernels.inverseDeviations(invstd, m2, 7, 1e-5, 1e15);
          const inverse = Array.from(want.m2, (value) => 1 / Math.sqrt(value / 7 + 1e-5));
          expect([...invstd]).toEqual(inverse);
          const thirds = Array.from(want.mean, (value) => value / 3);
          kernels.divide(m2, mean, 3);
          expect([...m2]).toEqual(thirds);
          kernels.divide(mean, mean, 3);
          expect([...mean]).toEqual(thirds);
        }
      }
    });

    test('move running statistics with one rounding, whatever their number', () => {
      const kernels = make();
      const random = seeded(6);
      for (let channels = 0; channels < 10; channels++) {
        const [mean, variance] = [0, 1].map(() => source(kernels, dtype, channels));
        const batch = {
          mean: source(kernels, 'float64', channels) as Float64Array,
          m2: source(kernels, 'float64', channels) as Float64Array,
        };
        const [wantMean, wantVariance] = [mean.slice(), variance.slice()];
        const share = 1 - 0.9;
        for (let c = 0; c < channels; c++) {
          [mean[c], variance[c]] = [random(), random()];
          [batch.mean[c], batch.m2[c]] = [100 * random(), 100 * random()];
          wantMean[c] = (1 - share) * mean[c] + share * batch.mean[c];
          wantVariance[c] = (1 - share) * variance[c] + share * (batch.m2[c] / 7);
        }
        kernels.moveRunning(mean, variance, batch, 7, share);
        expect([...mean]).toEqual([...wantMean]);
        expect([...variance]).toEqual([...wantVariance]);
      }
    });

    test('tell deviations that are far from 1, or NaN, in any place', () => {
      const kernels = make();
      for (const channels of [1, 2, 5, 8]) {
        const [m2, invstd] = [0, 1].map(() => source(kernels, 'float64', channels) as Float64Array);
        for (const [value, usual] of [
          [4, true],
          [1e-29, true],
          [1e-31, false],
          [1e29, true],
          [1e31, false],
          [Number.NaN, false],
          [Number.POSITIVE_INFINITY, false],
          [0, false],
        ] as const) {
          for (let c = 0; c < channels; c++) {
            m2.fill(1)[c] = value;
            expect(kernels.inverseDeviations(invstd, m2, 1, 0, 1e15), `${value}, ${c}`).toBe(usual);
          }
        }
      }
    });

    test('give the same bits again', () => {
      const kernels = make();
      for (const [samples, plane] of [
        [8, 784],
        [16, 49],
        [300, 1],
      ]) {
        const layout = { samples, channels: 5, plane, channelsLast: false, dtype };
        const once = makeCase(kernels, source, layout);
        const again = makeCase(kernels, source, layout);
        runStages(kernels, once, [all(layout)]);
        runStages(kernels, again, [all(layout)]);
        expectSameBits(again, once);
      }
    });
  });
}
