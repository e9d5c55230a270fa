/** Which runs the demo makes, and which it refuses before it starts. */

import { describe, expect, it } from 'vitest';
import { DataError } from '../../examples/digits/dataset.js';
import { plansFor, SPEED_BATCH, speedPlans } from '../../examples/digits/plans.js';

describe('plansFor', () => {
  it('compares one rank, all ranks synchronized, and each of them alone', () => {
    const plans = plansFor(4, 8).map(({ name, ranks, synchronized }) => [
      name,
      ranks,
      synchronized,
    ]);
    expect(plans).toEqual([
      ['one rank', 1, true],
      ['4 ranks, synchronized', 4, true],
      ['4 ranks, each alone', 4, false],
    ]);
    expect(plansFor(4, 8, 'synchronized').map(({ name }) => name)).toEqual([
      '4 ranks, synchronized',
    ]);
  });

  it('refuses a batch that the ranks cannot share evenly', () => {
    expect(() => plansFor(3, 8)).toThrow(
      new DataError('a batch of 8 samples cannot be dealt out to 3 ranks evenly'),
    );
  });

  it('refuses one sample a rank when ranks normalise alone, and names the batch size to set', () => {
    expect(() => plansFor(8, 8)).toThrow(/two samples or more: set --batch-size to 16/);
    expect(() => plansFor(8, 8, 'alone')).toThrow(DataError);
    expect(plansFor(8, 8, 'synchronized')).toHaveLength(1);
    expect(plansFor(8, 16)).toHaveLength(3);
  });
});

describe('speedPlans', () => {
  it.each([
    [1, [1]],
    [2, [1, 2]],
    [7, [1, 2, 4]],
    [64, [1, 2, 4, 8, 16]],
  ])('measures doubled ranks, as far as %i ranks go', (most, expected) => {
    expect(speedPlans(most).map(({ ranks }) => ranks)).toEqual(expected);
  });

  it('shares its batch evenly', () => {
    for (const { ranks } of speedPlans(64)) expect(SPEED_BATCH % ranks, `${ranks}`).toBe(0);
  });
});
