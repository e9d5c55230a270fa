import { describe, expect, test } from 'vitest';
import { show, showList, showText } from '../../src/core/show.js';

const trap = (): never => {
  throw new Error('a trap');
};
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();

describe('a value in an error', () => {
  test.each<[string, unknown, string]>([
    ['text in quotes', 'abc', "'abc'"],
    ['a number', 1.5, '1.5'],
    ['negative zero', -0, '-0'],
    ['NaN', Number.NaN, 'NaN'],
    ['a BigInt', 4n, '4n'],
    ['a symbol', Symbol('s'), 'Symbol(s)'],
    ['null', null, 'null'],
    ['undefined', undefined, 'undefined'],
    ['a list', [1], 'Array'],
    ['a typed array', new Float32Array(2), 'Float32Array'],
    ['a function by its name', function f() {}, 'function f'],
    [
      'a function without a name',
      (
        () => () =>
          1
      )(),
      'function',
    ],
    ['an object without a prototype', Object.create(null), 'an object'],
    ['a line break, escaped', 'a\nb', "'a\\u000ab'"],
    ['an escape sequence, escaped', Symbol('\u001b[2J'), 'Symbol(\\u001b[2J)'],
    ['a right-to-left override, escaped', '\u202egnp', "'\\u202egnp'"],
    ['half a character, escaped', '\ud800', "'\\ud800'"],
    ['an emoji', '\u{1F600}', "'\u{1F600}'"],
  ])('is %s', (_, value, text) => {
    expect(show(value)).toBe(text);
  });

  test.each<[string, unknown]>([
    ['a proxy whose every trap throws', new Proxy({}, { get: trap, getPrototypeOf: trap })],
    ['a revoked proxy', proxy],
    ['a getter that throws', Object.defineProperty({}, 'constructor', { get: trap })],
    ['a name that is no text', { constructor: { name: Symbol('x') } }],
  ])('never throws: %s', (_, value) => {
    expect(show(value)).toMatch(/^an (odd )?object$/);
    expect(showList([value])).toMatch(/^\[an (odd )?object\]$/);
  });

  test('is short, whatever its length', () => {
    expect(show('x'.repeat(1e6)).length).toBeLessThan(90);
    expect(showText('x'.repeat(1e6)).length).toBeLessThan(90);
    expect(showList(Array.from({ length: 1e6 }, () => 'long')).length).toBeLessThan(100);
  });

  test('shows the elements of lists, and what is no list as it is', () => {
    expect(showList([1, 'a', null])).toBe("[1, 'a', null]");
    expect(showList('a')).toBe("'a'");
    expect(showList(proxy)).toBe('an odd object');
  });

  test('leaves a name as it is, but for what a terminal obeys', () => {
    expect(showText("bn 'é'")).toBe("bn 'é'");
    expect(showText('bn\r\u001b[31m')).toBe('bn\\u000d\\u001b[31m');
  });
});
