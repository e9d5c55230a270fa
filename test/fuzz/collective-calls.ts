/** The calls of groups: making them, asking for ranks, and collectives. */

import fc from 'fast-check';
import * as syncbn from 'syncbn';
import type { Call } from './call.js';
import { mostly, odd, oddOptions, plain, type Recipe, recipe } from './odd.js';

const GROUPS = [plain('world'), plain(null), plain(undefined)];
const ARRAYS: readonly Recipe[] = [
  recipe('new Float64Array(3)', () => new Float64Array(3)),
  recipe('new Float32Array(3)', () => new Float32Array(3)),
  recipe('new Int32Array(0)', () => new Int32Array(0)),
  recipe('new Uint8Array(2)', () => new Uint8Array(2)),
];
const OPTIONS = {
  op: [plain('sum'), plain('max')],
  out: ARRAYS,
  label: [plain('L')],
  timeout: [plain(5)],
  root: [plain(0)],
  uneven: [plain(true), plain(false)],
};

/** The group of all, which is one rank here. */
const group = () => syncbn.createGroup('alone', [0]);
const collective = fc.tuple(mostly(...ARRAYS), oddOptions(Object.keys(OPTIONS), OPTIONS));

function isArray(value: unknown): string | null {
  const arrays = Array.isArray(value) ? value : [value];
  return arrays.every(ArrayBuffer.isView) ? null : 'the result is no array';
}

function query(name: string, run: Call['run'], args: Call['args']): Call {
  return {
    name,
    named: new RegExp(`^${name}: `),
    args,
    run,
    check: (result) => (result === undefined ? 'the result is undefined' : null),
  };
}

const ofGroup = fc.tuple(mostly(...GROUPS));

export const COLLECTIVE_CALLS: readonly Call[] = [
  {
    name: 'createGroup',
    named: /^createGroup: /,
    args: fc.tuple(mostly(plain('g1'), plain('g2')), mostly(recipe('[0]', () => [0]))),
    run: (name: never, ranks: never) => {
      const made = syncbn.createGroup(name, ranks);
      // As many groups as runs would fill the memory.
      if (made.name !== 'world') syncbn.destroyGroup(made.name);
      return made;
    },
    check: (made) => {
      const { name, ranks } = made as syncbn.ProcessGroup;
      return typeof name === 'string' && ranks.join() === '0' ? null : `group of ${String(ranks)}`;
    },
  },
  {
    name: 'destroyGroup',
    named: /^destroyGroup: /,
    args: fc.tuple(mostly(plain('g'), plain('world'))),
    run: (name: never) => {
      syncbn.createGroup('g', [0]);
      syncbn.destroyGroup(name);
    },
  },
  query('getGroup', syncbn.getGroup, ofGroup),
  query('getRank', syncbn.getRank, ofGroup),
  query('getGroupSize', syncbn.getGroupSize, ofGroup),
  query('getLocalRank', syncbn.getLocalRank, ofGroup),
  query('getLocalRankSize', syncbn.getLocalRankSize, ofGroup),
  query('getProcessGroupRanks', syncbn.getProcessGroupRanks, ofGroup),
  query(
    'getWorldRankFromGroupRank',
    syncbn.getWorldRankFromGroupRank,
    fc.tuple(mostly(...GROUPS), mostly(plain(0))),
  ),
  query(
    'getGroupRankFromWorldRank',
    syncbn.getGroupRankFromWorldRank,
    fc.tuple(mostly(plain(0)), mostly(...GROUPS)),
  ),
  {
    name: 'allReduce',
    named: /^allReduce: /,
    args: collective,
    run: (data: never, options: never) => group().allReduce(data, options).wait(),
    check: isArray,
  },
  {
    name: 'allGather',
    named: /^allGather: /,
    args: collective,
    run: (data: never, options: never) => group().allGather(data, options).wait(),
    check: isArray,
  },
  {
    name: 'broadcast',
    named: /^broadcast: /,
    args: collective,
    run: (data: never, options: never) => group().broadcast(data, options).wait(),
    check: isArray,
  },
  {
    name: 'barrier',
    named: /^barrier: /,
    args: fc.tuple(oddOptions(Object.keys(OPTIONS), OPTIONS)),
    run: (options: never) => group().barrier(options).wait(),
  },
  {
    name: 'raise',
    named: /^raise: /,
    args: fc.tuple(odd, oddOptions(Object.keys(OPTIONS), OPTIONS)),
    run: (message: never, options: never) => group().raise(message, options).wait(),
  },
];
