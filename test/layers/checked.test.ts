import { afterAll, describe, expect, test } from 'vitest';
import { expectSame } from '../harness/numbers.js';
import { TestWorld } from '../harness/world.js';
import type { CheckedScript, Wrong } from '../ranks/run-checked.js';

const checked = new TestWorld(2, {}, () => ({ SYNCBN_CHECK: '1' }));
const plain = new TestWorld(2);
afterAll(() => Promise.all([checked.close(), plain.close()]));

const step = (wrong: Wrong, awaited = false): CheckedScript => ({ wrong, awaited });
const BN = "SyncBatchNorm 'bn'";

describe.each([false, true])('a step in the checked mode, awaited: %s', (awaited) => {
  test('gives the bits of a step without it when nothing is wrong', async () => {
    const expected = await plain.results<number[]>('checked', () => step('nothing', awaited));
    const actual = await checked.results<number[]>('checked', () => step('nothing', awaited));
    actual.forEach((numbers, rank) => {
      expectSame(numbers, expected[rank]);
    });
  });

  test.each<[Wrong, string]>([
    ['input', 'the input'],
    ['output', 'the output of an activation'],
  ])(
    'finds an %s that was changed between forward and backward, on both ranks',
    async (wrong, what) => {
      const outcomes = await checked.run('checked', () => step(wrong, awaited));
      const text = `${BN}: ${what} was changed between forward and backward`;
      expect(outcomes[1].error).toEqual({
        name: 'RangeError',
        message: expect.stringContaining(text),
      });
      expect(outcomes[0].error).toEqual({
        name: 'RankFailedError',
        message: expect.stringContaining(`rank 1 failed: RangeError: ${text}`),
      });
    },
  );

  test.each<[Wrong, string, string]>([
    ['runningMean', BN, 'runningMean[1] is 7 on rank 1, 0 on rank 0'],
    ['weight', BN, 'weight[0] is 3 on rank 1, 1 on rank 0'],
    ['momentum', BN, 'option momentum is 0.5 on rank 1, 0.1 on rank 0'],
    ['activation', BN, 'option activation is relu on rank 1, none on rank 0'],
    ['parameter', 'averageGradients', 'linear (2)[1] is -0 on rank 1, 0 on rank 0'],
  ])('names the first difference between the ranks: %s', async (wrong, owner, text) => {
    const outcomes = await checked.run('checked', () => step(wrong, awaited));
    for (const { error } of outcomes) {
      expect(error).toEqual({ name: 'MismatchError', message: expect.stringContaining(text) });
      expect(error?.message).toContain(owner);
    }
  });
});

test('without the checked mode a changed input and ranks that differ pass', async () => {
  for (const wrong of ['input', 'runningMean', 'parameter'] as const) {
    await expect(plain.results('checked', () => step(wrong))).resolves.toHaveLength(2);
  }
});
