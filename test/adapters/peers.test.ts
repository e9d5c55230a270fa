/** Whom a failing step tells, where its layers and its gradients have groups of their own. */

import type { ProcessGroup } from 'syncbn';
import { beforeEach, expect, test } from 'vitest';
import { Peers } from '../../src/adapters/shared/peers.js';

let told: string[] = [];
beforeEach(() => {
  told = [];
});

/** A group of which this rank is a member, and which notes what it is told. */
function group(name: string, ranks: number[], rank = 0): ProcessGroup {
  const raise = (message: string) => {
    told.push(`${name}: ${message}`);
    return { done: () => Promise.resolve() };
  };
  return { name, ranks, rank, size: ranks.length, raise } as unknown as ProcessGroup;
}

const pair = group('pair', [0, 1]);
const other = group('other', [0, 2]);
const world = group('world', [0, 1, 2, 3]);

function failAfter(meetings: ProcessGroup[], before: (peers: Peers) => void): string[] {
  const peers = new Peers(meetings);
  before(peers);
  peers.fail(new TypeError('bad'), 'network');
  return told;
}

test('before a collective: its group and that of the gradients', () => {
  expect(failAfter([pair, other, world], () => {})).toEqual([
    'pair: TypeError: bad',
    'world: TypeError: bad',
  ]);
});

test('one group once', () => {
  expect(failAfter([world, world, world], () => {})).toEqual(['world: TypeError: bad']);
});

test('between collectives: the group of the next one', () => {
  const between = (peers: Peers) => {
    peers.meet(pair);
    peers.leave();
  };
  expect(failAfter([pair, other, world], between)).toEqual([
    'other: TypeError: bad',
    'world: TypeError: bad',
  ]);
});

test('inside a collective: not its own ranks, which know, but the others', () => {
  const inside = (peers: Peers) => peers.meet(pair);
  expect(failAfter([pair, pair, world], inside)).toEqual(['world: TypeError: bad']);
});

test('inside or after the last collective: nobody', () => {
  expect(failAfter([world], (peers) => peers.meet(world))).toEqual([]);
  expect(
    failAfter([world], (peers) => {
      peers.meet(world);
      peers.leave();
    }),
  ).toEqual([]);
});

test('not groups that this rank is outside of', () => {
  expect(failAfter([group('strange', [1, 2], -1), world], () => {})).toEqual([
    'world: TypeError: bad',
  ]);
});
