import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { expectSame } from '../harness/numbers.js';
import { closeSharedWorlds, SIZES, sharedWorld } from '../harness/world.js';
import type { ArrayKind, Call, CollectiveScript, Outcome } from '../ranks/collectives.js';

afterAll(closeSharedWorlds);

const KINDS: ArrayKind[] = ['float64', 'float32', 'int32'];
/** Around the slot of 65536 bytes: 8192 float64, 16384 of the others; and several slots. */
const LENGTHS = [0, 1, 3, 129, 4097, 8191, 8192, 8193, 16384, 16385, 50_001];

function run(size: number, callsOf: (rank: number) => Call[], style: CollectiveScript['style']) {
  return sharedWorld(size).results<Outcome[]>('collectives', (rank) => ({
    calls: callsOf(rank),
    style,
  }));
}

/** The values of call `i` on every rank. */
function valuesOf(outcomes: Outcome[][], i: number): number[][] {
  return outcomes.map((own) => {
    const outcome = own[i];
    if ('error' in outcome) throw new Error(outcome.error.message);
    return outcome.values;
  });
}

const fill = (length: number, base: number) => Array.from({ length }, (_, i) => (i % 1000) + base);

describe.each(SIZES)('collectives of %i ranks', (size) => {
  const ranks = Array.from({ length: size }, (_, rank) => rank);

  it.each(KINDS)('sum, gather and send %s arrays of any length', async (type) => {
    for (const length of LENGTHS) {
      const outcomes = await run(
        size,
        (rank) => [
          { kind: 'allReduce', type, length, base: rank },
          { kind: 'allGather', type, length, base: 10 * rank },
          { kind: 'broadcast', type, length, base: rank, root: size - 1 },
          { kind: 'barrier' },
        ],
        'wait',
      );
      const sum = fill(length, 0).map((value) => size * value + (size * (size - 1)) / 2);
      const gathered = ranks.flatMap((rank) => fill(length, 10 * rank));
      for (const rank of ranks) {
        expectSame(valuesOf(outcomes, 0)[rank], sum);
        expectSame(valuesOf(outcomes, 1)[rank], gathered);
        expectSame(valuesOf(outcomes, 2)[rank], fill(length, size - 1));
      }
    }
  });

  it('take the largest and the smallest element, and let NaN through', async () => {
    const values = (rank: number) => [rank, -rank - 1, rank === size - 1 ? Number.NaN : 1, -0.5];
    const outcomes = await run(
      size,
      (rank) => [
        { kind: 'allReduce', values: values(rank), op: 'max' },
        { kind: 'allReduce', values: values(rank), op: 'min' },
      ],
      'wait',
    );
    for (const rank of ranks) {
      expect(valuesOf(outcomes, 0)[rank]).toEqual([size - 1, -1, Number.NaN, -0.5]);
      expect(valuesOf(outcomes, 1)[rank]).toEqual([0, -size, Number.NaN, -0.5]);
    }
  });

  it('sum in rank order, to the same bits on every rank', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), fixed(5)),
          fixed(size),
        ),
        async (inputs) => {
          const outcomes = await run(
            size,
            (rank) => [{ kind: 'allReduce', values: inputs[rank] }],
            'wait',
          );
          const sums = inputs[0].map((_, i) =>
            inputs.slice(1).reduce((sum, input) => sum + input[i], inputs[0][i]),
          );
          for (const own of valuesOf(outcomes, 0)) expect(own).toEqual(sums);
        },
      ),
      { numRuns: 20 },
    );
  });

  it.each(['done', 'split'] as const)('give the same results with style %s', async (style) => {
    const calls = (rank: number): Call[] => [
      { kind: 'allReduce', length: 20_000, base: rank },
      { kind: 'allGather', values: [rank], shared: true },
      { kind: 'barrier' },
      { kind: 'broadcast', type: 'float32', values: [rank, 7], root: 0 },
      { kind: 'allReduce', type: 'int32', values: [rank, 1], shared: true },
    ];
    const expected = await run(size, calls, 'wait');
    expect(await run(size, calls, style)).toEqual(expected);
  });

  it('run in groups that overlap, in any order of waiting', async () => {
    const groups = ranks.map((first) => ({
      name: `pair ${first}`,
      ranks: [...new Set([first, (first + 1) % size])],
    }));
    const mine = (rank: number) => groups.filter((group) => group.ranks.includes(rank));
    for (const style of ['split', 'done'] as const) {
      const outcomes = await run(
        size,
        (rank) =>
          mine(rank).map((group) => ({ kind: 'allReduce', length: 20_000, base: rank, group })),
        style,
      );
      for (const rank of ranks) {
        mine(rank).forEach((group, i) => {
          const bases = group.ranks.reduce((sum, member) => sum + member, 0);
          const sum = fill(20_000, 0).map((value) => group.ranks.length * value + bases);
          expectSame(valuesOf(outcomes.slice(rank, rank + 1), i)[0], sum);
        });
      }
    }
  });
});

describe('all-reduce of int32', () => {
  it('wraps around as Int32 arithmetic does', async () => {
    const outcomes = await run(
      3,
      () => [{ kind: 'allReduce', type: 'int32', values: [2 ** 30] }],
      'wait',
    );
    expect(valuesOf(outcomes, 0)).toEqual([[-(2 ** 30)], [-(2 ** 30)], [-(2 ** 30)]]);
  });
});

function fixed(length: number) {
  return { minLength: length, maxLength: length };
}
