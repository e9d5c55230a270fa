/**
 * Odd values for arguments, as recipes: a value that was used may be changed or detached, so each
 * run makes its own, and a failure can say how it was made.
 */

import fc from 'fast-check';

/** How to make a value, and how to write it down. */
export interface Recipe {
  readonly text: string;
  make(): unknown;
}

/** What traps and getters of odd values throw; it may pass through a call as it is. */
export class Trap extends Error {
  override name = 'Trap';
}

export const recipe = (text: string, make: () => unknown): Recipe => ({ text, make });

/** The value itself, for what is not changed by use. */
export const plain = (value: unknown): Recipe => recipe(literal(value), () => value);

function literal(value: unknown): string {
  if (Object.is(value, -0)) return '-0';
  if (typeof value === 'bigint') return `${value}n`;
  return typeof value === 'string' ? JSON.stringify(value) : String(value);
}

const trap = (): never => {
  throw new Trap('thrown by the value itself');
};

/** Sizes that no memory holds are refused by the engine at once; smaller ones might be granted. */
const NUMBERS = [
  ...[0, -0, 1, -1, 2, 3, 4, 7, 64, 0.5, -0.5, 1.5, 1e-5, 5e-324, 1e300],
  ...[Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[2 ** 38, 2 ** 40, 1e12, 2 ** 53 - 1, 2 ** 53, -(2 ** 53)],
].map(plain);

const STRINGS = [
  ...['', ' ', '0', '1', '-1', '1e3', 'NaN', 'x'.repeat(300), 'é', '\u{1F600}', '\ud800'],
  ...['world', 'float32', 'float64', 'float16', 'bfloat16', 'int32', 'sum', 'max', 'mean'],
  ...['zeros', 'ones', 'normal', 'he_uniform', 'skip', 'throw', 'propagate'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'length'],
  ...['line\nbreak', '\0', '\u001b[2J', '%s%d', '../../no/such/file', "';--"],
].map(plain);

const OTHERS = [
  ...[undefined, null, true, false, 0n, 1n, -(2n ** 64n)].map(plain),
  ...[Symbol('s'), Symbol.iterator].map(plain),
  recipe('() => 1', () => () => 1),
  recipe('class A {}', () => class A {}),
  recipe('async () => {}', () => async () => {}),
  recipe('new Date(NaN)', () => new Date(Number.NaN)),
  recipe('/x/', () => /x/),
  recipe('new Map()', () => new Map()),
  recipe('new Set([1])', () => new Set([1])),
  recipe("new Error('e')", () => new Error('e')),
  recipe('Promise.resolve(1)', () => Promise.resolve(1)),
  recipe('new Number(3)', () => Object(3)),
  recipe("new String('world')", () => Object('world')),
  recipe('Object(1n)', () => Object(1n)),
  recipe('globalThis', () => globalThis),
  recipe('new Array(3)', () => new Array(3)),
  recipe('Object.freeze([1, 2])', () => Object.freeze([1, 2])),
];

const ARRAYS = [
  ...[Float32Array, Float64Array, Int32Array, Uint8Array, Uint16Array].flatMap((type) =>
    [0, 1, 2, 4].map((n) => recipe(`new ${type.name}(${n})`, () => new type(n))),
  ),
  recipe('new BigInt64Array(2)', () => new BigInt64Array(2)),
  recipe('new DataView(...)', () => new DataView(new ArrayBuffer(4))),
  recipe('new ArrayBuffer(8)', () => new ArrayBuffer(8)),
  recipe('new SharedArrayBuffer(8)', () => new SharedArrayBuffer(8)),
  recipe('a shared Float32Array(2)', () => new Float32Array(new SharedArrayBuffer(8))),
  recipe('a detached Float64Array(2)', () => detached(new Float64Array(2))),
  recipe('a detached Float32Array(4)', () => detached(new Float32Array(4))),
  recipe('Object.create(Float32Array.prototype)', () => Object.create(Float32Array.prototype)),
  recipe('a proxy of Float32Array(2)', () => new Proxy(new Float32Array(2), {})),
  recipe('class F extends Float32Array', () => new (class F extends Float32Array {})(2)),
];

const TRAPS = [
  recipe('a proxy of {}', () => new Proxy({}, {})),
  recipe('a proxy of [1, 2]', () => new Proxy([1, 2], {})),
  recipe('a proxy whose get throws', () => new Proxy({}, { get: trap })),
  recipe('a proxy whose every trap throws', () => new Proxy({}, everyTrap())),
  recipe('a revoked proxy', revoked),
  recipe('{ get length() { throw } }', () => ({
    get length() {
      return trap();
    },
  })),
  recipe('{ toString() { throw } }', () => ({ toString: trap, valueOf: trap })),
  recipe('{ [Symbol.toPrimitive]() { throw } }', () => ({ [Symbol.toPrimitive]: trap })),
  recipe('{ valueOf: () => 3 }', () => ({ valueOf: () => 3, toString: () => 'world' })),
  recipe('{ [Symbol.iterator]() { throw } }', () => ({ [Symbol.iterator]: trap })),
  recipe('JSON with __proto__', () => JSON.parse('{"__proto__": {"eps": 5, "length": 1}}')),
  recipe('Object.create(null)', () => Object.create(null)),
  recipe('Object.create({ eps: 9 })', () => Object.create({ eps: 9 })),
  recipe('{ constructor: null }', () => ({ constructor: null })),
  recipe('an endless iterator', () => ({
    *[Symbol.iterator]() {
      for (let i = 0; i < 1e4; i++) yield i;
      trap();
    },
  })),
  ...['3', null, -1, 1.5, Number.NaN, 2 ** 40, 2 ** 53 - 1, 2].map((length) =>
    recipe(`{ length: ${literal(length)}, 0: 1, 1: 2 }`, () => ({ length, 0: 1, 1: 2 })),
  ),
];

function detached<T extends Float32Array | Float64Array>(array: T): T {
  structuredClone(array, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

function everyTrap(): ProxyHandler<object> {
  const names = ['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor'] as const;
  return Object.fromEntries(names.map((name) => [name, trap]));
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

const simple = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...NUMBERS) },
  { weight: 3, arbitrary: fc.constantFrom(...STRINGS) },
  { weight: 3, arbitrary: fc.constantFrom(...OTHERS) },
  { weight: 3, arbitrary: fc.constantFrom(...ARRAYS) },
  { weight: 3, arbitrary: fc.constantFrom(...TRAPS) },
);

/** Any odd value, lists of odd values included. */
export const odd: fc.Arbitrary<Recipe> = fc.oneof(
  { weight: 5, arbitrary: simple },
  { weight: 1, arbitrary: fc.array(simple, { maxLength: 3 }).map(listOf) },
);

/** Mostly a value that the call takes, now and then an odd one. */
export function mostly(...good: readonly Recipe[]): fc.Arbitrary<Recipe> {
  return fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...good) },
    { weight: 2, arbitrary: odd },
  );
}

export function listOf(items: readonly Recipe[]): Recipe {
  return recipe(`[${items.map(({ text }) => text).join(', ')}]`, () =>
    items.map((item) => item.make()),
  );
}

/** Options: some of `names`, each with an odd value; sometimes one that is unknown, or no object. */
export function oddOptions(
  names: readonly string[],
  good: Readonly<Record<string, readonly Recipe[]>> = {},
): fc.Arbitrary<Recipe> {
  const unknown = fc.constantFrom('__proto__', 'constructor', 'Eps', 'toString', 'grp');
  const name = fc.oneof(
    { weight: 19, arbitrary: fc.constantFrom(...names) },
    { weight: 1, arbitrary: unknown },
  );
  const entry = name.chain((key) => {
    const value = Object.hasOwn(good, key) ? mostly(...good[key]) : odd;
    return value.map((made) => [key, made] as const);
  });
  return fc.oneof(
    { weight: 1, arbitrary: odd },
    { weight: 2, arbitrary: fc.constant(plain(undefined)) },
    { weight: 9, arbitrary: fc.array(entry, { maxLength: 3 }).map(objectOf) },
  );
}

function objectOf(entries: readonly (readonly [string, Recipe])[]): Recipe {
  const text = entries.map(([key, { text }]) => `${key}: ${text}`).join(', ');
  return recipe(`{ ${text} }`, () => {
    const object = {};
    for (const [key, made] of entries) {
      // Defined, not assigned: `__proto__` becomes a property of its own, as JSON makes it.
      const value = made.make();
      Object.defineProperty(object, key, {
        value,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return object;
  });
}
