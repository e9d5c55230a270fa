/** The contract of collectives, as tests of a carrier. Ranks run it: test/ranks/contract.ts. */

import { beforeAll, describe, expect, it } from 'vitest';
import { SIZES } from '../harness/world.js';
import { type Report, SECTION_NAMES } from '../ranks/contract.js';

/** Starts a world of `size` ranks and runs the contract; each rank's report, by rank. */
export type StartContract = (size: number) => Promise<Report[]>;

/** Milliseconds for one world: 7 processes that spin on 2 cores need many. */
const LIMIT_MS = 240_000;

/** The worlds of a file in their order; each begins with the one before it: they wait a lot. */
const worlds: (() => Promise<Report[]>)[] = [];

/** Makes the start of a world one that happens once. */
function once(start: () => Promise<Report[]>): () => Promise<Report[]> {
  let reports: Promise<Report[]> | undefined;
  return () => {
    reports ??= start();
    return reports;
  };
}

export function describeTransport(
  name: string,
  start: StartContract,
  sizes: readonly number[] = SIZES,
  sections: readonly string[] = SECTION_NAMES,
): void {
  describe.each(sizes)(`${name}, a world of %i`, (size) => {
    let reports: Report[] = [];
    const place = worlds.push(once(() => start(size))) - 1;

    beforeAll(async () => {
      const own = worlds[place]();
      // Its outcome, an error included, is for the tests of the next world.
      worlds[place + 1]?.().catch(() => {});
      reports = await own;
    }, LIMIT_MS);

    it('is joined by every rank', () => {
      expect(reports).toHaveLength(size);
    });

    it.each(sections)('%s', (section) => {
      const errors = Object.fromEntries(reports.map((report, rank) => [rank, report[section]]));
      expect(errors).toEqual(Object.fromEntries(reports.map((_, rank) => [rank, []])));
    });
  });
}
