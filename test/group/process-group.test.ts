import { setTimeout as sleep } from 'node:timers/promises';
import { CollectiveError } from 'syncbn';
import { describe, expect, it } from 'vitest';
import { ProcessGroup } from '../../src/group/process-group.js';
import { groupOf, sumOver, worldsOf } from '../harness/groups-in-process.js';

const DATA = Float64Array.of(1, 2);
const outside = new ProcessGroup('pair', [1, 2], -1, null, 10);

/** Every collective with arguments that would be right. */
const CALLS: [string, (group: ProcessGroup, options?: object) => unknown][] = [
  ['allReduce', (group, options) => group.allReduce(DATA, options)],
  ['allGather', (group, options) => group.allGather(DATA, options)],
  ['broadcast', (group, options) => group.broadcast(DATA, options)],
  ['barrier', (group, options) => group.barrier(options)],
  ['raise', (group, options) => group.raise('text', options)],
];

describe('arguments of collectives', () => {
  const [group] = groupOf(worldsOf(3), 'three');

  it.each(CALLS)('%s wants a deadline above 0', (name, call) => {
    for (const timeout of [0, -1, Number.NaN]) {
      expect(() => call(group, { timeout })).toThrow(
        new RangeError(`${name}: timeout must be above 0 seconds, got ${timeout}`),
      );
    }
    expect(() => call(group, { timeout: '5' })).toThrow(
      new TypeError(`${name}: timeout must be a number of seconds, got '5'`),
    );
  });

  it.each(CALLS)('%s wants a member of the group', (name, call) => {
    expect(() => call(outside)).toThrow(
      new RangeError(`${name}: this rank is not in group 'pair' (ranks 1, 2)`),
    );
  });

  it.each<[string, unknown, string]>([
    ['allReduce', [1, 2], 'Array'],
    ['allReduce', new Uint8Array(2), 'Uint8Array'],
    ['allReduce', undefined, 'undefined'],
  ])('%s refuses data that it cannot combine (case %#)', (name, data, got) => {
    const call = group[name as 'allReduce'].bind(group) as (data: unknown) => unknown;
    expect(() => call(data)).toThrow(
      new TypeError(`${name}: expected a Float64Array, Float32Array or Int32Array, got ${got}`),
    );
  });

  it.each<[string, unknown, string]>([
    ['allGather', new Uint16Array(2), 'Uint16Array'],
    ['broadcast', null, 'null'],
    ['broadcast', new BigInt64Array(1), 'BigInt64Array'],
    ['allGather', 5, '5'],
  ])('%s refuses data that it cannot copy (case %#)', (name, data, got) => {
    const call = group[name as 'broadcast'].bind(group) as (data: unknown) => unknown;
    expect(() => call(data)).toThrow(
      new TypeError(
        `${name}: expected a Float64Array, Float32Array, Int32Array, Uint8Array or Int8Array, ` +
          `got ${got}`,
      ),
    );
  });

  it.each<[string, object, string]>([
    ['allReduce', { group: 'pair' }, 'label, timeout, out, op'],
    ['allGather', { op: 'sum' }, 'label, timeout, out, uneven'],
    ['broadcast', { src: 1 }, 'label, timeout, root'],
    ['barrier', { root: 0 }, 'label, timeout'],
    ['raise', { out: DATA }, 'label, timeout'],
  ])('%s refuses options that it does not know: %j', (name, options, known) => {
    const call = CALLS.find(([own]) => own === name)![1];
    const [unknown] = Object.keys(options);
    expect(() => call(group, options)).toThrow(
      new TypeError(`${name}: unknown option '${unknown}'; known are ${known}`),
    );
    expect(() => call(group, 'max' as never)).toThrow(
      new TypeError(`${name}: options must be an object, got 'max'`),
    );
  });

  it('an option that is mistyped is told with the nearest that there is', () => {
    expect(() => group.allReduce(DATA, { lable: 'x' } as never)).toThrow(
      new TypeError(
        "allReduce: unknown option 'lable'; known are label, timeout, out, op; did you mean 'label'?",
      ),
    );
  });

  it('a mean of whole numbers is refused, and so is an out for uneven arrays', () => {
    expect(() => group.allReduce(Int32Array.of(1), { op: 'mean' })).toThrow(
      new TypeError("allReduce: op 'mean' needs a Float64Array or Float32Array, got Int32Array"),
    );
    const options = { uneven: true, out: new Float64Array(6) } as const;
    expect(() => group.allGather(DATA, options)).toThrow(
      new TypeError('allGather: out goes with arrays of one length, not with uneven'),
    );
  });

  it('allReduce blames data that is no array, not the out that goes with it', () => {
    const call = group.allReduce.bind(group) as (data: unknown, options: object) => unknown;
    expect(() => call([1, 2], { out: new Float64Array(2) })).toThrow(
      new TypeError('allReduce: expected a Float64Array, Float32Array or Int32Array, got Array'),
    );
  });

  it.each([
    ['SUM', "'SUM'"],
    ['', "''"],
    [3, '3'],
  ])('allReduce refuses op %s', (op, shown) => {
    expect(() => group.allReduce(DATA, { op: op as never })).toThrow(
      new RangeError(`allReduce: op must be sum, max, min, mean or product, got ${shown}`),
    );
  });

  it.each([-1, 3, 0.5, '0', Number.NaN])('broadcast refuses root %s', (root) => {
    expect(() => group.broadcast(DATA, { root: root as never })).toThrow(
      new RangeError(
        `broadcast: root must be a rank of group 'three', 0 to 2, got ${typeof root === 'string' ? `'${root}'` : root}`,
      ),
    );
  });

  it.each([
    [new Float64Array(5), 'Float64Array of 5'],
    [new Float64Array(7), 'Float64Array of 7'],
    [new Float32Array(6), 'Float32Array of 6'],
  ])('allGather refuses an out of another kind or length', (out, got) => {
    expect(() => group.allGather(DATA, { out: out as Float64Array })).toThrow(
      new RangeError(`allGather: out must be a Float64Array of 6 (3 ranks x 2), got a ${got}`),
    );
    expect(() => group.allGather(DATA, { out: [] as never })).toThrow(TypeError);
  });

  it('start nothing when they are wrong: the next collective is the first', async () => {
    const groups = groupOf(worldsOf(2), 'g');
    expect(() => groups[0].allReduce(DATA, { timeout: -1 })).toThrow(RangeError);
    expect(() => groups[0].broadcast(DATA, { root: 5 })).toThrow(RangeError);
    expect(await sumOver(groups)).toEqual([3, 3]);
  });
});

describe('a collective', () => {
  it('is waited for by the rank that starts last, without the others', async () => {
    const groups = groupOf(worldsOf(3), 'g');
    const works = groups.map((group) => group.allReduce(Float64Array.of(group.rank)));
    expect([...works[2].wait()]).toEqual([3]);
    expect([...works[0].wait()]).toEqual([3]);
    expect([...(await works[1].done())]).toEqual([3]);
    expect([...works[1].wait()]).toEqual([3]);
  });

  it('begins as soon as the ones before it are over, though nobody has waited for them', () => {
    const groups = groupOf(worldsOf(2), 'g');
    const barriers = groups.map((group) => group.barrier());
    const first = groups[0].allReduce(Float64Array.of(1));
    expect([...groups[1].allReduce(Float64Array.of(2)).wait()]).toEqual([3]);
    expect([...first.wait()]).toEqual([3]);
    expect(barriers.map((work) => work.wait())).toEqual([undefined, undefined]);
  });

  it('gathers in the order of the list of ranks, not of the numbers', async () => {
    const groups = groupOf(worldsOf(3), 'g', [2, 0, 1]);
    expect(groups.map(({ rank }) => rank)).toEqual([0, 1, 2]);
    const works = groups.map(({ ranks, rank }, i) =>
      groups[i].allGather(Int32Array.of(ranks[rank])),
    );
    for (const work of works) expect([...(await work.done())]).toEqual([2, 0, 1]);
    const sent = groups.map((group, i) => group.broadcast(Int32Array.of(i), { root: 1 }));
    for (const work of sent) expect([...(await work.done())]).toEqual([1]);
  });

  it('writes an all-gather where it is told to', async () => {
    const groups = groupOf(worldsOf(2), 'g');
    const outs = groups.map(() => new Float64Array(4));
    const works = groups.map((group, i) => group.allGather(DATA, { out: outs[i] }));
    for (const [i, work] of works.entries()) expect(await work.done()).toBe(outs[i]);
    expect(outs.map((out) => [...out])).toEqual([
      [1, 2, 1, 2],
      [1, 2, 1, 2],
    ]);
  });

  it('without a deadline of its own has that of the world, and for ever means for ever', async () => {
    const groups = groupOf(worldsOf(2, { timeout: 0.02 }), 'g');
    await expect(groups[0].barrier().done()).rejects.toThrow(
      /^rank 0 waited 0\.02 s in barrier #1 /,
    );
    const patient = groupOf(worldsOf(2, { timeout: Number.POSITIVE_INFINITY }), 'g');
    const first = patient[0].barrier();
    const second = patient[1].barrier({ timeout: Number.POSITIVE_INFINITY });
    expect(await Promise.all([first.done(), second.done()])).toEqual([undefined, undefined]);
  });

  it('of a group that this rank has destroyed fails, also when it was under way', async () => {
    const groups = groupOf(worldsOf(2), 'g');
    const work = groups[0].barrier();
    groups[0].close();
    groups[0].close();
    const error = new CollectiveError("group 'g' was destroyed");
    await expect(work.done()).rejects.toThrow(error);
    expect(() => groups[0].barrier().wait()).toThrow(error);
    await expect(groups[1].barrier().done()).resolves.toBeUndefined();
    await expect(groups[1].barrier().done()).rejects.toThrow(/^rank 0 left before barrier #2/);
  });

  it('breaks its group for all when one rank stops waiting, in the words of the first', async () => {
    const worlds = worldsOf(3);
    const groups = groupOf(worlds, 'g');
    const works = [groups[0].barrier({ timeout: 0.01 }), groups[1].barrier()];
    const message = "rank 0 waited 0.01 s in barrier #1 in group 'g' for rank 2";
    for (const work of works) {
      await expect(work.done()).rejects.toThrow(
        expect.objectContaining({ name: 'DeadlineError', message }),
      );
    }
    expect(() => groups[2].barrier().wait()).toThrow(message);
    expect(await sumOver(groupOf(worlds, 'other'))).toEqual([6, 6, 6]);
  });

  it('tells long labels with one beginning apart, and names them in full', async () => {
    const groups = groupOf(worldsOf(2), 'g');
    const works = groups.map((group, i) => group.barrier({ label: `${'x'.repeat(200)}${i}` }));
    const errors = await Promise.all(works.map((work) => work.done().catch(String)));
    const long = 'x'.repeat(200);
    const message = `rank 1 is in barrier #1 of ${long}1, rank 0 in barrier #1 of ${long}0`;
    expect(errors).toEqual(works.map(() => expect.stringContaining(message)));
  });

  it('count their deadline from when they are waited for', async () => {
    const groups = groupOf(worldsOf(2), 'g');
    const early = groups[0].allReduce(Float64Array.of(1), { timeout: 0.25 });
    await sleep(300);
    const late = sleep(100).then(() => groups[1].allReduce(Float64Array.of(2)).done());
    expect([...(await early.done()), ...(await late)]).toEqual([3, 3]);
  });

  it('sum arrays of more lengths than views of them are kept', async () => {
    const groups = groupOf(worldsOf(2), 'g');
    for (let length = 0; length < 1200; length++) {
      const works = groups.map((group, i) => group.allReduce(new Float64Array(length).fill(i + 1)));
      for (const work of works) {
        const sums = await work.done();
        expect(sums).toHaveLength(length);
        expect(sums.every((sum) => sum === 3)).toBe(true);
      }
    }
  });

  it('compare the labels that they have, not those of the calls before', async () => {
    const groups = groupOf(worldsOf(2), 'g');
    const labels = ['', '', 'a', '', 'b', 'b', 'b', '', ''];
    for (const label of labels) {
      const works = groups.map((group) => group.barrier({ label }));
      for (const work of works) await expect(work.done()).resolves.toBeUndefined();
    }
    const works = groups.map((group, i) => group.barrier(i === 0 ? {} : { label: 'b' }));
    const errors = await Promise.all(works.map((work) => work.done().catch(String)));
    expect(errors).toEqual(works.map(() => expect.stringContaining('ranks disagree')));
  });
});
