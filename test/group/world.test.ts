import {
  createGroup,
  createThreadWorld,
  destroyGroup,
  getGroup,
  getGroupRankFromWorldRank,
  getGroupSize,
  getLocalRank,
  getLocalRankSize,
  getProcessGroupRanks,
  getRank,
  getWorldRankFromGroupRank,
  init,
  isInitialized,
  release,
  WORLD_GROUP,
} from 'syncbn';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { worldsOf } from '../harness/groups-in-process.js';

/** Every function of the table with arguments that would be right. */
const CALLS: [string, () => unknown][] = [
  ['getRank', () => getRank()],
  ['getGroupSize', () => getGroupSize(WORLD_GROUP)],
  ['getLocalRank', () => getLocalRank()],
  ['getLocalRankSize', () => getLocalRankSize()],
  ['getWorldRankFromGroupRank', () => getWorldRankFromGroupRank(WORLD_GROUP, 0)],
  ['getGroupRankFromWorldRank', () => getGroupRankFromWorldRank(0, WORLD_GROUP)],
  ['getProcessGroupRanks', () => getProcessGroupRanks()],
  ['createGroup', () => createGroup('g', [0])],
  ['destroyGroup', () => destroyGroup('g')],
];

const untyped = createGroup as (...args: unknown[]) => unknown;

afterEach(release);

describe('before init', () => {
  it.each(CALLS)('%s says to call it', (name, call) => {
    expect(call).toThrow(
      new Error(`${name}: there is no world yet; call init() first, and await it`),
    );
  });

  it('there is nothing to release', () => {
    release();
    expect(isInitialized()).toBe(false);
  });
});

describe('init and release', () => {
  it('make and leave a world of one, twice without harm', async () => {
    expect(isInitialized()).toBe(false);
    await init();
    const group = createGroup('kept', [0]);
    await init({ timeout: 3 });
    expect(createGroup('kept', [0])).toBe(group);
    expect(isInitialized()).toBe(true);
    release();
    release();
    expect(isInitialized()).toBe(false);
    expect(() => getRank()).toThrow(/call init\(\) first/);
  });

  it('take a world that the program brings, with its deadline', async () => {
    const [world] = worldsOf(1, { timeout: 7 });
    await init({ world });
    expect(getProcessGroupRanks()).toEqual([0]);
    expect(createGroup('own', [0]).mayBlock).toBe(true);
  });

  it('leave a world that fails on the way out as well', async () => {
    const [world] = worldsOf(1);
    world.release = () => {
      throw new Error('the world has failed');
    };
    await init({ world });
    expect(release).toThrow('the world has failed');
    expect(isInitialized()).toBe(false);
    await init();
    expect(getGroupSize()).toBe(1);
  });

  it('start anew: old groups are gone', async () => {
    await init();
    const old = createGroup('old', [0]);
    release();
    await init();
    expect(() => getGroupSize('old')).toThrow(
      new RangeError("getGroupSize: unknown group 'old'; this rank knows world"),
    );
    expect(createGroup('old', [0])).not.toBe(old);
    expect(() => getGroupSize(old)).toThrow(/unknown group 'old'/);
  });

  it.each([0, -1, Number.NaN])('refuse a timeout of %s', async (timeout) => {
    await expect(init({ timeout })).rejects.toThrow(
      new RangeError(`init: timeout must be above 0 seconds, got ${timeout}`),
    );
    expect(isInitialized()).toBe(false);
  });

  it('leave nothing behind when the world cannot be joined', async () => {
    await expect(init({ world: {} as never })).rejects.toThrow(TypeError);
    const [tiny] = createThreadWorld(2, { areaBytes: 64 });
    await expect(init({ world: tiny })).rejects.toThrow(/group 'world' needs \d+ bytes/);
    expect(isInitialized()).toBe(false);
    await init();
    expect(getGroupSize()).toBe(1);
  });
});

describe('a world of one', () => {
  beforeEach(() => init());

  it('has rank 0 alone', () => {
    expect(WORLD_GROUP).toBe('world');
    const answers = CALLS.slice(0, 7).map(([, call]) => call());
    expect(answers).toEqual([0, 1, 0, 1, 0, 0, [0]]);
    expect(getRank(null)).toBe(0);
    expect(createGroup(WORLD_GROUP, [0]).name).toBe('world');
  });

  it('has collectives that give back what came', async () => {
    const group = createGroup('g', [0]);
    expect([group.name, group.ranks, group.rank, group.size]).toEqual(['g', [0], 0, 1]);
    const data = Float32Array.of(1, 2);
    expect(group.allReduce(data).wait()).toBe(data);
    expect(await group.broadcast(data).done()).toBe(data);
    const out = new Float32Array(2);
    expect(group.allGather(data, { out }).wait()).toBe(out);
    expect(out).toEqual(data);
    expect(await group.barrier().done()).toBeUndefined();
    expect(() => group.raise('no')).toThrow(expect.objectContaining({ name: 'RankFailedError' }));
  });

  it('gives groups by name, and by default that of all ranks', () => {
    const group = createGroup('g', [0]);
    expect(getGroup('g')).toBe(group);
    expect(getGroup()).toBe(getGroup(WORLD_GROUP));
    expect(getGroup().ranks).toEqual([0]);
    expect(() => getGroup('none')).toThrow(
      new RangeError("getGroup: unknown group 'none'; this rank knows world, g"),
    );
  });

  it('combines and gathers what it gives alone', () => {
    const group = getGroup();
    const data = Float64Array.of(3, 5);
    expect([...group.allReduce(data, { op: 'mean', out: new Float64Array(2) }).wait()]).toEqual([
      3, 5,
    ]);
    const [own, ...others] = group.allGather(data, { uneven: true }).wait();
    expect(own).toEqual(data);
    expect(own).not.toBe(data);
    expect(others).toEqual([]);
  });

  it('gives the ranks of a group as a copy', () => {
    getProcessGroupRanks().push(9);
    expect(getProcessGroupRanks()).toEqual([0]);
    const list = [0];
    const group = createGroup('g', list);
    list.push(1);
    expect(group.ranks).toEqual([0]);
  });

  it.each<[string, unknown[], new () => Error, RegExp]>([
    [
      'a name that is no string',
      [3, [0]],
      TypeError,
      /^createGroup: the name must be a string, got 3$/,
    ],
    ['no name', [undefined, [0]], TypeError, /the name must be a string, got undefined$/],
    ['an empty name', ['', [0]], RangeError, /^createGroup: the name must not be empty$/],
    ['no list', ['g', 0], TypeError, /^createGroup: group 'g' needs a list of ranks, got 0$/],
    ['text for a list', ['g', '0'], TypeError, /group 'g' needs a list of ranks, got '0'$/],
    ['an empty list', ['g', []], RangeError, /^createGroup: group 'g' needs at least one rank$/],
    [
      'a rank twice',
      ['g', [0, 0]],
      RangeError,
      /^createGroup: group 'g' names a rank twice: 0, 0$/,
    ],
    [
      'a rank of text',
      ['g', ['0']],
      TypeError,
      /^createGroup: group 'g': a rank must be an integer, got '0'$/,
    ],
    ['half a rank', ['g', [0.5]], TypeError, /a rank must be an integer, got 0\.5$/],
    [
      'a negative rank',
      ['g', [-1]],
      RangeError,
      /^createGroup: group 'g': rank -1 is not in the world, whose ranks are 0 to 0$/,
    ],
    [
      'a rank outside',
      ['g', [0, 1]],
      RangeError,
      /rank 1 is not in the world, whose ranks are 0 to 0$/,
    ],
  ])('refuses a group with %s', (_, args, kind, message) => {
    expect(() => untyped(...args)).toThrow(kind);
    expect(() => untyped(...args)).toThrow(message);
    expect(() => getGroupSize('g')).toThrow(/unknown group 'g'/);
  });

  it.each<[string, (group: never) => unknown]>([
    ['getRank', (group) => getRank(group)],
    ['getGroupSize', (group) => getGroupSize(group)],
    ['getLocalRank', (group) => getLocalRank(group)],
    ['getLocalRankSize', (group) => getLocalRankSize(group)],
    ['getProcessGroupRanks', (group) => getProcessGroupRanks(group)],
    ['getWorldRankFromGroupRank', (group) => getWorldRankFromGroupRank(group, 0)],
    ['getGroupRankFromWorldRank', (group) => getGroupRankFromWorldRank(0, group)],
  ])('%s refuses groups that are not there, and what is no group', (name, call) => {
    createGroup('here', [0]);
    expect(() => call('nowhere' as never)).toThrow(
      new RangeError(`${name}: unknown group 'nowhere'; this rank knows world, here`),
    );
    expect(() => call(7 as never)).toThrow(
      new TypeError(`${name}: a group is a name or a ProcessGroup, got 7`),
    );
    expect(() => call({ name: 'here' } as never)).toThrow(TypeError);
  });

  it.each<[string, () => unknown, new () => Error, RegExp]>([
    [
      'a group rank outside',
      () => getWorldRankFromGroupRank('world', 1),
      RangeError,
      /^getWorldRankFromGroupRank: group 'world' has ranks 0 to 0, not 1$/,
    ],
    [
      'a negative group rank',
      () => getWorldRankFromGroupRank('world', -1),
      RangeError,
      /has ranks 0 to 0, not -1$/,
    ],
    [
      'a group rank of text',
      () => getWorldRankFromGroupRank('world', '0' as never),
      TypeError,
      /^getWorldRankFromGroupRank: a rank must be an integer, got '0'$/,
    ],
    [
      'a world rank outside',
      () => getGroupRankFromWorldRank(1, 'world'),
      RangeError,
      /^getGroupRankFromWorldRank: rank 1 is not in the world, whose ranks are 0 to 0$/,
    ],
    [
      'a world rank of nothing',
      () => getGroupRankFromWorldRank(null as never, 'world'),
      TypeError,
      /a rank must be an integer, got null$/,
    ],
  ])('refuses %s', (_, call, kind, message) => {
    expect(call).toThrow(kind);
    expect(call).toThrow(message);
  });

  it('destroys groups by name, but not the world', () => {
    const group = createGroup('g', [0]);
    destroyGroup('g');
    expect(() => getGroupSize(group)).toThrow(/unknown group 'g'/);
    expect(() => destroyGroup('g')).toThrow(
      new RangeError("destroyGroup: unknown group 'g'; this rank knows world"),
    );
    expect(() => destroyGroup(WORLD_GROUP)).toThrow(
      new RangeError("destroyGroup: group 'world' is all ranks; release() leaves it"),
    );
    for (const [other, shown] of [
      [null, 'null'],
      [undefined, 'undefined'],
      [group, 'ProcessGroup'],
    ]) {
      expect(() => destroyGroup(other as never)).toThrow(
        new TypeError(`destroyGroup: the name must be a string, got ${shown}`),
      );
    }
    expect(getGroupSize()).toBe(1);
  });
});
