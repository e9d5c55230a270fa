import { afterAll, describe, expect, it } from 'vitest';
import { closeSharedWorlds, PortWorld, SIZES, sharedWorld } from '../harness/world.js';
import type { Results } from '../ranks/averages.js';
import { averagesOf, differenceOf, SCRIPTS, valuesOfRoot } from './lists.js';

afterAll(closeSharedWorlds);

describe.each(SIZES)('long lists over %i ranks', (size) => {
  it.each(SCRIPTS.map((script, i) => [i, script] as const))(
    'are averaged in rank order, in float64 and rounded once: list %i',
    async (_, script) => {
      const results = await sharedWorld(size).results<[Results, Results]>('averages', () => script);
      const [averages, values] = [averagesOf(script, size), valuesOfRoot(script)];
      for (const [own, received] of results) {
        expect(differenceOf(own, averages)).toBe('');
        expect(differenceOf(received, values)).toBe('');
      }
    },
  );
});

it.each([2, 3])('long lists have the same bits over ports, awaited, on %i ranks', async (size) => {
  const world = new PortWorld(size);
  try {
    for (const script of SCRIPTS) {
      const awaited = { ...script, awaited: true };
      const results = await world.results<[Results, Results]>('averages', () => awaited);
      const [averages, values] = [averagesOf(script, size), valuesOfRoot(script)];
      for (const [own, received] of results) {
        expect(differenceOf(own, averages)).toBe('');
        expect(differenceOf(received, values)).toBe('');
      }
    }
  } finally {
    await world.close();
  }
});

describe('an array that is detached on the way', () => {
  it('fails the call on all ranks, and leaves the group in order', async () => {
    const outcomes = await sharedWorld(2).run('detached-average', (rank) => rank);
    for (const { error } of outcomes) expect(error?.message).toMatch(/detached/);
    const results = await sharedWorld(2).results<[Results, Results]>('averages', () => SCRIPTS[0]);
    expect(differenceOf(results[1][0], averagesOf(SCRIPTS[0], 2))).toBe('');
  });
});
