import { createThreadWorld, type ThreadWorldHandle } from 'syncbn';
import { describe, expect, it } from 'vitest';
import { ThreadWorld } from '../../src/group/thread/thread-world.js';

describe('createThreadWorld', () => {
  it('makes a handle for each rank, all of one segment', () => {
    const handles = createThreadWorld(3);
    expect(handles.map(({ kind, rank }) => [kind, rank])).toEqual([
      ['thread', 0],
      ['thread', 1],
      ['thread', 2],
    ]);
    expect(new Set(handles.map(({ segment }) => segment)).size).toBe(1);
  });

  it.each([
    [0, '0'],
    [-1, '-1'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    ['2', "'2'"],
    [null, 'null'],
  ])('refuses a size of %s', (size, shown) => {
    expect(() => createThreadWorld(size as number)).toThrow(
      new RangeError(`createThreadWorld: size must be an integer of 1 or more, got ${shown}`),
    );
  });

  it.each([0, -5, Number.NaN])('refuses a timeout of %s', (timeout) => {
    expect(() => createThreadWorld(2, { timeout })).toThrow(
      new RangeError(`createThreadWorld: timeout must be above 0 seconds, got ${timeout}`),
    );
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 60])('refuses areaBytes of %s', (areaBytes) => {
    expect(() => createThreadWorld(2, { areaBytes })).toThrow(
      new RangeError(
        `createThreadWorld: areaBytes must be an integer of 0 or more, got ${areaBytes}`,
      ),
    );
  });

  it('takes any number of bytes, and time-outs from a millisecond to for ever', () => {
    expect(createThreadWorld(1, { areaBytes: 1001 })).toHaveLength(1);
    const timeoutOf = (timeout: number) =>
      new ThreadWorld(createThreadWorld(1, { timeout })[0]).timeout;
    expect(timeoutOf(1e-6)).toBe(0.001);
    expect(timeoutOf(2.5)).toBe(2.5);
    expect(timeoutOf(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('a world handle', () => {
  const [good] = createThreadWorld(2);
  it.each<[string, Partial<Record<keyof ThreadWorldHandle, unknown>>]>([
    ['an empty buffer', { segment: new SharedArrayBuffer(0) }],
    ['another buffer', { segment: new SharedArrayBuffer(4096) }],
    ['an odd buffer', { segment: new SharedArrayBuffer(17) }],
    ['memory that is not shared', { segment: new ArrayBuffer(4096) }],
    ['no buffer', { segment: undefined }],
  ])('with %s is refused', (_, part) => {
    expect(() => new ThreadWorld({ ...good, ...part } as ThreadWorldHandle)).toThrow(
      new TypeError('init: the world handle is not a segment of this version of syncbn'),
    );
  });

  it.each([-1, 2, 0.5, undefined])('with rank %s is refused', (rank) => {
    expect(() => new ThreadWorld({ ...good, rank: rank as number })).toThrow(
      new RangeError(`init: the world handle's rank must be 0 to 1, got ${rank}`),
    );
  });
});
