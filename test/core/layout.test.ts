import { describe, expect, it } from 'vitest';
import {
  formatShape,
  layoutOf,
  sameShape,
  sizeOf,
  valuesPerChannel,
} from '../../src/core/layout.js';

describe('the layout of a shape', () => {
  it.each<[number[], boolean, number, number, number]>([
    [[4, 3], false, 4, 3, 1],
    [[4, 3], true, 4, 3, 1],
    [[4, 3, 5], false, 4, 3, 5],
    [[4, 3, 5], true, 4, 5, 3],
    [[4, 3, 5, 2], false, 4, 3, 10],
    [[4, 3, 5, 2], true, 4, 2, 15],
    [[4, 3, 5, 2, 7], false, 4, 3, 70],
    [[4, 3, 5, 2, 7], true, 4, 7, 30],
    [[0, 3, 5], false, 0, 3, 5],
    [[4, 3, 0], false, 4, 3, 0],
    [[4, 0, 3], true, 4, 3, 0],
  ])(
    '%j, channels last %s, has %i samples, %i channels and planes of %i',
    (shape, channelsLast, samples, channels, plane) => {
      const layout = layoutOf(shape, channelsLast, 'float64');
      expect(layout).toEqual({
        samples,
        channels,
        plane,
        channelsLast,
        dtype: 'float64',
        mask: null,
      });
      expect(valuesPerChannel(layout)).toBe(samples * plane);
      expect(sizeOf(shape)).toBe(samples * channels * plane);
    },
  );
});

describe('shapes', () => {
  it('have one element without axes, and none with an axis of 0', () => {
    expect(sizeOf([])).toBe(1);
    expect(sizeOf([3, 0, 2])).toBe(0);
  });

  it('are the same with the same sizes in the same order', () => {
    expect(sameShape([2, 3], [2, 3])).toBe(true);
    expect(sameShape([], [])).toBe(true);
    expect(sameShape([2, 3], [3, 2])).toBe(false);
    expect(sameShape([2], [2, 1])).toBe(false);
    expect(sameShape([2, 1], [2])).toBe(false);
  });

  it('are written as NumPy writes them', () => {
    expect([[], [2], [2, 3]].map(formatShape)).toEqual(['()', '(2,)', '(2, 3)']);
  });
});
