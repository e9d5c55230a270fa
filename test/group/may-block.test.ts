import { afterEach, describe, expect, it, vi } from 'vitest';
import { threadMayBlock } from '../../src/group/may-block.js';
import { groupOf, sumOver, worldsOf } from '../harness/groups-in-process.js';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('a group of a world', () => {
  it('that may block says so', () => {
    const worlds = worldsOf(2);
    expect(worlds.map(({ mayBlock }) => mayBlock)).toEqual([true, true]);
    expect(groupOf(worlds, 'g').map(({ mayBlock }) => mayBlock)).toEqual([true, true]);
  });

  it("on a browser's main thread refuses to wait, and can be awaited", async () => {
    vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      throw new TypeError('Atomics.wait cannot be called in this context');
    });
    const worlds = worldsOf(2);
    expect(worlds.map(({ mayBlock }) => mayBlock)).toEqual([false, false]);
    const groups = groupOf(worlds, 'g');
    expect(groups.map(({ mayBlock }) => mayBlock)).toEqual([false, false]);
    const barriers = groups.map((group) => group.barrier());
    expect(() => barriers[0].wait()).toThrow(
      new TypeError(
        'wait: this rank must not block (a browser forbids it on the main thread); ' +
          'await done() instead',
      ),
    );
    expect(await Promise.all(barriers.map((work) => work.done()))).toEqual([undefined, undefined]);
    expect(await sumOver(groups)).toEqual([3, 3]);
  });

  it('without shared memory refuses as well', () => {
    vi.stubGlobal('SharedArrayBuffer', undefined);
    try {
      expect(threadMayBlock()).toBe(false);
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
