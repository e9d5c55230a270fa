/** Worlds over a hub, their ranks linked by MessagePorts. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ProcessGroup } from '../../src/group/process-group.js';
import type { CollectiveArray, ReduceOp, Work } from '../../src/group/transport.js';
import { groupOf as threadGroupOf, worldsOf } from '../harness/groups-in-process.js';
import { relayStarter } from '../harness/relay.js';

const start = relayStarter();

function all<T>(groups: readonly ProcessGroup[], call: (group: ProcessGroup) => Work<T>) {
  return Promise.all(groups.map((group) => call(group).done()));
}

/** What each rank's work fails with. */
async function errorsOf(works: readonly Work<unknown>[]): Promise<string[]> {
  const outcomes = await Promise.allSettled(works.map((work) => work.done()));
  return outcomes.map((outcome) =>
    outcome.status === 'rejected' ? `${outcome.reason.name}: ${outcome.reason.message}` : 'none',
  );
}

const TYPES = [Float64Array, Float32Array, Int32Array] as const;
/** Around a vector, and past the frame of 1 MiB: 131,072 float64, 262,144 of the others. */
const LENGTHS = [0, 1, 3, 129, 4097, 131_073, 262_145];
const OPS: ReduceOp[] = ['sum', 'max', 'min'];

const bytesOf = ({ buffer }: CollectiveArray) => Buffer.from(buffer as ArrayBuffer);

/** Numbers whose sums depend on their order. */
const fill = (Type: (typeof TYPES)[number], length: number, rank: number): CollectiveArray =>
  new Type(length).map((_, i) => ((i % 997) - 300 + rank * 1.7) / (1 + (i % 7)));

describe.each([2, 3, 7])('collectives of %i ranks over a hub', (size) => {
  it.each(TYPES.map((Type) => [Type.name, Type] as const))(
    'give the bits of threads, for a %s of any length',
    async (_, Type) => {
      const relay = await start(size);
      const groups = relay.groupOf('g');
      const threads = threadGroupOf(worldsOf(size), 'g');
      for (const length of LENGTHS) {
        const op = OPS[length % 3];
        const reduce = (group: ProcessGroup) =>
          group.allReduce(fill(Type, length, group.rank), { op });
        const gather = (group: ProcessGroup) => group.allGather(fill(Type, length, group.rank));
        const send = (group: ProcessGroup) =>
          group.broadcast(fill(Type, length, group.rank), { root: size - 1 });
        for (const call of [reduce, gather, send]) {
          const [found, expected] = [await all(groups, call), await all(threads, call)];
          for (let rank = 0; rank < size; rank++) {
            expect(bytesOf(found[rank]).equals(bytesOf(expected[rank]))).toBe(true);
          }
        }
      }
    },
  );
});

describe('a relay world', () => {
  it('can only be awaited, and says so', async () => {
    const relay = await start(2);
    const { worlds } = relay;
    expect(worlds.map(({ kind, mayBlock, hostRanks }) => [kind, mayBlock, hostRanks])).toEqual([
      ['relay', false, [0]],
      ['relay', false, [1]],
    ]);
    const groups = relay.groupOf('g');
    const works = groups.map((group) => group.barrier());
    expect(() => works[0].wait()).toThrow(/must not block.*await done\(\)/);
    expect(await errorsOf(works)).toEqual(['none', 'none']);
  });

  it('runs groups that overlap, started in any order and long before they are awaited', async () => {
    const relay = await start(3);
    const pairs = [
      [0, 1],
      [1, 2],
      [2, 0],
    ].map((ranks) => relay.groupOf(`pair ${ranks}`, ranks));
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: 6 }), async (order) => {
        const works = order.map((at) => {
          const group = pairs[at >> 1][at & 1];
          return group.allReduce(Float64Array.of(group.rank + 1));
        });
        const sums = await Promise.all(works.map((work) => work.done()));
        expect(sums.map(([sum]) => sum)).toEqual([3, 3, 3, 3, 3, 3]);
      }),
      { numRuns: 20 },
    );
  });

  it('keeps frames for a rank that opens its group late', async () => {
    const relay = await start(2);
    const early = relay.memberOf('late', [0, 1], 0, relay.worlds[0]);
    const work = early.allReduce(Float64Array.of(1));
    await new Promise((resolve) => setImmediate(resolve));
    const late = relay.memberOf('late', [0, 1], 1, relay.worlds[1]);
    const sums = await Promise.all([work.done(), late.allReduce(Float64Array.of(2)).done()]);
    expect(sums.map(([sum]) => sum)).toEqual([3, 3]);
  });

  it('makes a group anew after it was destroyed, also while another rank is still in it', async () => {
    const relay = await start(2);
    for (let round = 0; round < 3; round++) {
      const [a, b] = relay.groupOf('again');
      await all([a, b], (group) => group.barrier());
      a.close();
      const next = relay.memberOf('again', [0, 1], 0, relay.worlds[0]);
      const early = next.allReduce(Float64Array.of(round));
      b.close();
      const other = relay.memberOf('again', [0, 1], 1, relay.worlds[1]);
      const sums = await Promise.all([early.done(), other.allReduce(Float64Array.of(1)).done()]);
      expect(sums.map(([sum]) => sum)).toEqual([round + 1, round + 1]);
      next.close();
      other.close();
    }
  });

  it('lets ranks that disagree all fail in the same words, and go on together', async () => {
    const groups = (await start(3)).groupOf('a');
    const label = "SyncBatchNorm 'bn2'";
    const found = await errorsOf(
      groups.map((group) =>
        group.rank === 1 ? group.allReduce(new Float64Array(129), { label }) : group.barrier(),
      ),
    );
    const text =
      "MismatchError: ranks disagree in group 'a': rank 1 is in allReduce #1 of SyncBatchNorm " +
      "'bn2' with 129 float64, rank 0 in barrier #1";
    expect(found).toEqual([text, text, text]);
    expect(await errorsOf(groups.map((group) => group.barrier()))).toEqual([
      'none',
      'none',
      'none',
    ]);
  });

  it('lets an error that a rank raises reach all', async () => {
    const groups = (await start(3)).groupOf('a');
    const found = await errorsOf(
      groups.map((group) => (group.rank === 2 ? group.raise('bad argument') : group.barrier())),
    );
    const text = 'RankFailedError: rank 2 failed: bad argument';
    expect(found).toEqual([text, text, text]);
  });

  it('has deadlines that name who is missing, on all ranks', async () => {
    const groups = (await start(3)).groupOf('a');
    const works = groups.slice(0, 2).map((group) => group.barrier({ timeout: 0.05, label: 'x' }));
    const found = await errorsOf(works);
    for (const text of found) {
      expect(text).toMatch(
        /^DeadlineError: rank [01] waited 0.05 s in barrier #1 of x in group 'a' for rank 2$/,
      );
    }
    const [late] = await errorsOf([groups[2].barrier()]);
    expect(late).toMatch(/^DeadlineError: rank [01] waited 0.05 s/);
  });
});

describe('a rank of a relay world that is gone', () => {
  it('fails the others at once, by its name, also in later collectives', async () => {
    let heard = '';
    const relay = await start(3, { onFailure: (rank, why) => (heard = `${rank}: ${why}`) });
    const groups = relay.groupOf('a');
    const works = groups.slice(0, 2).map((group) => group.barrier());
    const begun = performance.now();
    relay.ports[2].close();
    const [first, second] = await errorsOf(works);
    expect(first).toMatch(/^RankFailedError: rank 2 failed: the other side has ended$/);
    expect(second).toBe(first);
    expect(performance.now() - begun).toBeLessThan(1000);
    expect(heard).toMatch(/^2: rank 2 failed/);
    expect(relay.hub.failure).toBe(heard.slice(3));
    expect(await errorsOf([groups[0].barrier()])).toEqual([first]);
  });

  it('may say why', async () => {
    const relay = await start(2);
    const groups = relay.groupOf('a');
    const work = groups[0].barrier();
    relay.worlds[1].fail(new RangeError('no more samples'));
    const text = 'RankFailedError: rank 1 failed: RangeError: no more samples';
    expect(await errorsOf([work])).toEqual([text]);
    expect(await errorsOf([groups[1].barrier()])).toEqual([text]);
  });

  it('may leave in peace: only who waits for it fails', async () => {
    const relay = await start(3);
    const groups = relay.groupOf('a');
    const pair = relay.groupOf('pair', [0, 1]);
    await all(groups, (group) => group.barrier());
    const work = groups[0].allReduce(new Float64Array(3), { label: 'sum' });
    relay.worlds[2].release();
    expect(await errorsOf([work])).toEqual([
      'RankFailedError: rank 2 left before allReduce #2 of sum with 3 float64 in group ' +
        "'a', which rank 0 is in",
    ]);
    expect(await errorsOf(pair.map((group) => group.barrier()))).toEqual(['none', 'none']);
    expect(relay.hub.failure).toBeNull();
  });

  it('fails all ranks when it is the hub that is gone', async () => {
    const relay = await start(2);
    const groups = relay.groupOf('a');
    const work = groups[0].barrier();
    relay.hub.close();
    expect(await errorsOf([work])).toEqual([
      'RankFailedError: rank 0 lost its relay: the other side closed it',
    ]);
  });
});
