import { RankFailedError, Tensor } from 'syncbn';
import { describe, expect, test } from 'vitest';
import type { Call } from './call.js';
import { fuzzCall, tryCall } from './fuzz.js';
import { odd, plain, recipe, Trap } from './odd.js';

/** A call that does `run`, whose errors must begin with 'here: '. */
const callOf = (run: (value: unknown) => unknown): Call => ({
  name: 'here',
  named: /^here: /,
  args: odd.map((one) => [one]),
  run: run as Call['run'],
  check: (result) => (result === 'wrong' ? 'it is wrong' : null),
});

const throwing = (error: unknown) =>
  tryCall(
    callOf(() => {
      throw error;
    }),
    [plain(1)],
  );

describe('a fuzzed call', () => {
  test.each<[string, unknown]>([
    ['a TypeError that names it', new TypeError("here: expected a number, got 'x'")],
    ['a RangeError that names it', new RangeError('here: at least 1, got 0')],
    ["the value's own error", new Trap('x')],
    ["a collective's error", new RankFailedError(1, 'x')],
  ])('may throw %s', async (_, error) => {
    expect(await throwing(error)).toBeNull();
  });

  test('may throw what a disposed tensor throws', async () => {
    const tensor = Tensor.zeros([2]);
    tensor.dispose();
    expect(
      await tryCall(
        callOf(() => tensor.data),
        [plain(1)],
      ),
    ).toBeNull();
  });

  test.each<[string, unknown, string]>([
    ['an error of another kind', new Error('here: x'), 'an error of another kind: Error: here: x'],
    ['something that is no error', 'x', 'an error of another kind: a string was thrown'],
    ["the engine's error", new TypeError('x is not iterable'), 'the call is not named: TypeError'],
    ['control characters', new TypeError('here: \u001b[2J'), 'control characters in an error'],
    ['a line break', new TypeError('here: a\nsyncrun: b'), 'control characters in an error'],
    ['a huge text', new RangeError(`here: ${'x'.repeat(3000)}`), 'an error of 3006 characters'],
  ])('may not throw %s', async (_, error, text) => {
    expect(await throwing(error)).toContain(text);
  });

  test('may not return a wrong result, nor take for ever', async () => {
    expect(
      await tryCall(
        callOf(() => 'wrong'),
        [plain(1)],
      ),
    ).toBe('accepted, with a wrong result: it is wrong');
    const slow = callOf(() => {
      const start = process.cpuUsage().user;
      while (process.cpuUsage().user - start < 1_100_000);
    });
    expect(await tryCall(slow, [plain(1)])).toMatch(/^took \d+ ms$/);
  });

  test('is tried until odd values are found that it answers wrongly, the smallest of them', async () => {
    const call = callOf((value) => {
      if (typeof value === 'symbol') throw new TypeError('Cannot convert a Symbol');
    });
    expect(await fuzzCall(call, 1000, 1)).toEqual({
      call: 'here',
      args: 'Symbol(s)',
      wrong: 'the call is not named: TypeError: Cannot convert a Symbol',
    });
    expect(
      await fuzzCall(
        callOf(() => null),
        1000,
        1,
      ),
    ).toBeNull();
  });
});

test('an odd value is made anew for each call', () => {
  const list = recipe('[]', () => []);
  expect(list.make()).not.toBe(list.make());
});
