/** The drawn digits: the same for a seed everywhere, all different, and worth learning. */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLASSES, type Digits, PIXELS, SIDE, splitDigits } from '../../examples/digits/dataset.js';
import { drawDigits } from '../../examples/digits/draw.js';
import { GLYPHS } from '../../examples/digits/glyphs.js';
import { seededRandom } from '../../examples/digits/random.js';

function imageOf(digits: Digits, index: number): Uint8Array {
  return digits.images.subarray(index * PIXELS, (index + 1) * PIXELS);
}

/** Mean image of each class. */
function templates(digits: Digits): Float64Array[] {
  const means = Array.from({ length: CLASSES }, () => new Float64Array(PIXELS));
  const counts = new Array<number>(CLASSES).fill(0);
  for (const label of digits.labels) counts[label]++;
  for (let i = 0; i < digits.count; i++) {
    const label = digits.labels[i];
    for (const [pixel, value] of imageOf(digits, i).entries())
      means[label][pixel] += value / counts[label];
  }
  return means;
}

function squaredDistance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

/** Share of `test` whose nearest template has the right label. */
function templateAccuracy(train: Digits, test: Digits): number {
  const means = templates(train);
  let right = 0;
  for (let i = 0; i < test.count; i++) {
    const distances = means.map((mean) => squaredDistance(mean, imageOf(test, i)));
    if (distances.indexOf(Math.min(...distances)) === test.labels[i]) right++;
  }
  return right / test.count;
}

describe('seededRandom', () => {
  // An implementation of mulberry32 in Python, with integers cut to 32 bits, gave these.
  it.each([
    [0, [1144304738, 1416247, 958946056, 627933444]],
    [1, [2693262067, 11749833, 2265367787, 4213581821]],
    [-1, [3850105811, 813802916, 3073704848, 4054706436]],
  ])('is mulberry32 for seed %i', (seed, expected) => {
    const random = seededRandom(seed);
    expect(expected.map(() => random() * 2 ** 32)).toEqual(expected);
  });

  it('spreads evenly over [0, 1)', () => {
    const random = seededRandom(5);
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 10_000; i++) bins[Math.floor(10 * random())]++;
    // The standard deviation of a bin is 30.
    for (const bin of bins) expect(Math.abs(bin - 1000)).toBeLessThan(120);
  });
});

describe('drawDigits', () => {
  it('gives the same bytes for a seed on every machine', () => {
    const { images, labels } = drawDigits(200, 1);
    // Made by this very function: a change of one bit in one pixel must be meant.
    expect(createHash('sha256').update(images).update(labels).digest('hex')).toBe(
      '3dd86eac87efcd0e1fe79e91255dabd7f4a0e3531ce732bbb9458c0a19188762',
    );
  });

  it('draws other digits for another seed', () => {
    expect(drawDigits(5, 1).images).not.toEqual(drawDigits(5, 2).images);
  });

  it('begins a longer drawing with the shorter one', () => {
    const count = fc.integer({ min: 0, max: 20 });
    fc.assert(
      fc.property(fc.integer(), count, count, (seed, a, b) => {
        const short = drawDigits(Math.min(a, b), seed);
        const long = drawDigits(Math.max(a, b), seed);
        expect(Buffer.compare(short.images, imageOfFirst(long, short.count))).toBe(0);
        expect(short.labels).toEqual(long.labels.subarray(0, short.count));
      }),
      { numRuns: 30 },
    );
  });

  it('draws every digit about equally often, and each image differently', () => {
    const digits = drawDigits(1000, 3);
    const counts = new Array<number>(CLASSES).fill(0);
    for (const label of digits.labels) counts[label]++;
    expect(Math.min(...counts)).toBeGreaterThan(60);
    const different = new Set(
      Array.from({ length: digits.count }, (_, i) =>
        Buffer.from(imageOf(digits, i)).toString('hex'),
      ),
    );
    expect(different.size).toBe(digits.count);
  });

  it('puts ink on every image, mostly within its margins', () => {
    const digits = drawDigits(500, 4);
    for (let i = 0; i < digits.count; i++) {
      const image = imageOf(digits, i);
      const inked = (pixel: number) => image[pixel] > 128;
      const pixels = Array.from({ length: PIXELS }, (_, pixel) => pixel).filter(inked);
      const edge = pixels.filter((pixel) => isEdge(pixel));
      expect(pixels.length).toBeGreaterThan(12);
      expect(pixels.length).toBeLessThan(PIXELS / 2);
      expect(edge.length).toBeLessThan(pixels.length / 4);
    }
  });

  it('can be recognised, but not by comparing with one template a digit', () => {
    const { train, test } = splitDigits(drawDigits(2500, 6), 2000);
    const accuracy = templateAccuracy(train, test);
    expect(accuracy).toBeGreaterThan(0.4);
    expect(accuracy).toBeLessThan(0.85);
  });

  it('knows at least two ways to write each digit, all within the box', () => {
    expect(GLYPHS).toHaveLength(CLASSES);
    for (const ways of GLYPHS) {
      expect(ways.length).toBeGreaterThanOrEqual(2);
      for (const { x, y } of ways.flat(2)) {
        expect(x).toBeGreaterThanOrEqual(0);
        expect(x).toBeLessThanOrEqual(0.7);
        expect(y).toBeGreaterThanOrEqual(0);
        expect(y).toBeLessThanOrEqual(1);
      }
    }
  });

  it('rejects counts and seeds that are not whole numbers', () => {
    expect(() => drawDigits(-1, 0)).toThrow(/drawDigits: count must be a whole number, got -1/);
    expect(() => drawDigits(1.5, 0)).toThrow(RangeError);
    expect(() => drawDigits(1, 0.5)).toThrow(/drawDigits: seed must be an integer, got 0.5/);
  });
});

describe('splitDigits', () => {
  it('keeps every digit, in order, in one part or the other', () => {
    const digits = drawDigits(20, 8);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 19 }), (trainCount) => {
        const { train, test } = splitDigits(digits, trainCount);
        expect([train.count, test.count]).toEqual([trainCount, 20 - trainCount]);
        expect([...train.labels, ...test.labels]).toEqual([...digits.labels]);
        expect(Buffer.concat([train.images, test.images]).equals(digits.images)).toBe(true);
      }),
    );
  });

  it.each([0, 20, 21, 2.5, -1])('rejects %d of 20 for training', (trainCount) => {
    expect(() => splitDigits(drawDigits(20, 8), trainCount)).toThrow(
      `at least one digit, got ${trainCount} of 20`,
    );
  });
});

function imageOfFirst(digits: Digits, count: number): Uint8Array {
  return digits.images.subarray(0, count * PIXELS);
}

function isEdge(pixel: number): boolean {
  const [x, y] = [pixel % SIDE, Math.floor(pixel / SIDE)];
  return x === 0 || y === 0 || x === SIDE - 1 || y === SIDE - 1;
}
