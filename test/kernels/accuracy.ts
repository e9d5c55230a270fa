/** How near every implementation of the kernels must come to float64, whatever it is given. */

import { describe, expect, test } from 'vitest';
import type { Kernels } from '../../src/kernels/kernels.js';
import { plainKernels } from '../../src/kernels/plain.js';
import { seeded, worstError } from './arrays.js';
import {
  all,
  emptyCase,
  expectNear,
  foreign,
  makeCase,
  oracleOf,
  runStages,
  type Source,
} from './cases.js';

/** For one implementation and one origin of arrays. */
export function describeAccuracy(name: string, make: () => Kernels, source: Source): void {
  describe.each(['float32', 'float64'] as const)(`${name} on %s`, (dtype) => {
    test('keep the variance of values that are 0 or another number', () => {
      const kernels = make();
      const random = seeded(11);
      for (const [samples, plane, channelsLast] of [
        [3, 784, false],
        [8, 196, false],
        [8, 49, false],
        [4, 196, true],
        [300, 1, false],
      ] as const) {
        const layout = { samples, channels: 24, plane, channelsLast, dtype };
        const c = makeCase(kernels, source, layout);
        for (const share of [0.2, 0.5, 0.61, 0.69, 0.8]) {
          // One number for all channels: a sum of equal ones is rounded the same way everywhere.
          const value = 1 + 0.4 * Math.sin(1000 * random());
          for (let i = 0; i < c.x.length; i++) {
            c.x[i] = (Math.sin(12.9898 * i + share) * 43758.5453) % 1 < 2 * share - 1 ? value : 0;
          }
          kernels.moments(c.mean, c.m2, c.x, layout, all(layout));
          const oracle = emptyCase(plainKernels, foreign, { ...layout, dtype: 'float64' });
          oracle.x.set(c.x);
          plainKernels.moments(oracle.mean, oracle.m2, oracle.x, oracle.layout, all(layout));
          expect(
            worstError(c.m2, oracle.m2, 0),
            JSON.stringify({ layout, share, value }),
          ).toBeLessThanOrEqual(1e-6);
          expect(worstError(c.mean, oracle.mean, 0)).toBeLessThanOrEqual(1e-6);
        }
      }
    });

    test('take channels near 0 and far from it side by side', () => {
      const kernels = make();
      for (const [samples, plane, channelsLast] of [
        [150, 1, false],
        [9, 49, false],
        [3, 100, true],
        [3, 100, false],
      ] as const) {
        const layout = { samples, channels: 70, plane, channelsLast, dtype };
        const c = makeCase(kernels, source, layout);
        for (let i = 0; i < c.x.length; i++) {
          const channel = channelsLast ? i % 70 : Math.floor(i / plane) % 70;
          if (channel % 16 === 3 || channel > 40) c.x[i] += 30;
        }
        runStages(kernels, c, [all(layout)]);
        expectNear(c, oracleOf(c));
      }
    });

    test('keep the variance of values far from 0', () => {
      const kernels = make();
      const limits = dtype === 'float32' ? [1e3, 1e4, 1e5] : [1e5];
      for (const ratio of limits) {
        for (const [samples, plane, channelsLast] of [
          [8, 784, false],
          [16, 49, false],
          [8, 784, true],
          [4096, 1, false],
        ] as const) {
          const layout = { samples, channels: 3, plane, channelsLast, dtype };
          const c = makeCase(kernels, source, layout, ratio * 0.1, 0.1);
          runStages(kernels, c, [all(layout)]);
          const oracle = oracleOf(c);
          expect(worstError(c.m2, oracle.m2, 0), `m2 at ${ratio}`).toBeLessThanOrEqual(1e-7);
          expect(worstError(c.mean, oracle.mean, 0)).toBeLessThanOrEqual(1e-9);
          if (ratio > 1e4) continue;
          expectNear({ ...c, y: ratio > 1e3 ? oracle.y : c.y }, oracle);
        }
      }
    });

    test('find the variance where sampled values mislead', () => {
      const kernels = make();
      for (const [samples, plane, channelsLast] of [
        [2, 4096, false],
        [64, 49, false],
        [2, 4096, true],
      ] as const) {
        const layout = { samples, channels: 2, plane, channelsLast, dtype };
        const c = makeCase(kernels, source, layout, 500, 1);
        // A few values far from all others, among them those that the kernels look at first.
        const step = channelsLast ? 2 : 1;
        for (let n = 0; n < samples; n++) {
          for (const share of [0.25, 0.5, 0.75]) {
            const at = n * 2 * plane + Math.floor(plane * share) * step;
            for (let i = -2; i <= 2; i++) c.x[at + i] = 0;
          }
        }
        runStages(kernels, c, [all(layout)]);
        expectNear(c, oracleOf(c));
      }
    });

    test('hold values that float32 squares can not', () => {
      const kernels = make();
      for (const scale of [1e-25, 1e25]) {
        for (const [samples, plane] of [
          [2, 100],
          [9, 49],
          [9, 1],
        ]) {
          const layout = { samples, channels: 3, plane, channelsLast: false, dtype };
          const c = makeCase(kernels, source, layout, 0, scale);
          runStages(kernels, c, [all(layout)]);
          const oracle = oracleOf(c);
          expect(worstError(c.m2, oracle.m2, 0)).toBeLessThanOrEqual(1e-6);
          expect(worstError(c.y, oracle.y, 1)).toBeLessThanOrEqual(1e-6);
        }
      }
    });

    test('find no spread in equal values', () => {
      const kernels = make();
      for (const value of [0, 3.25, 1e6]) {
        const layout = { samples: 9, channels: 3, plane: 65, channelsLast: false, dtype };
        const c = makeCase(kernels, source, layout);
        c.x.fill(value);
        runStages(kernels, c, [all(layout)]);
        expect([...c.mean]).toEqual([value, value, value]);
        expect([...c.m2]).toEqual([0, 0, 0]);
        for (let i = 0; i < c.y.length; i++) {
          if (c.y[i] !== c.bias[Math.floor(i / 65) % 3]) expect.fail(`y[${i}] is not the bias`);
        }
      }
    });
  });
}
