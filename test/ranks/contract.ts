/**
 * What collectives must do over every carrier. Each rank of a world runs all sections in their
 * order; data is such that ranks can predict one another's.
 */

import { deepStrictEqual, equal, match } from 'node:assert/strict';
import {
  createGroup,
  DeadlineError,
  destroyGroup,
  getGroupSize,
  getRank,
  type ProcessGroup,
  type ReduceOp,
  type Work,
} from 'syncbn';
import { checkCopies, checkReduction, own } from './contract-checks.js';
import { ERROR_SECTIONS } from './error-contract.js';
import { FATE_SECTIONS, failure, GROUP_SECTIONS, over } from './group-contract.js';
import { type Data, dataOf, everyone, KINDS, same, sumOf } from './mpi-ranks.js';

/** What became of a section on one rank: its errors; none: all is as it should be. */
export type Report = Record<string, string[]>;

/**
 * Around the lengths where the ways change: loops and WebAssembly (48), kept views (64), sums aside
 * (640 bytes to 8 KiB, of the last block too), one round and two (2 KiB, 8 KiB), frames of 16 KiB to
 * 1 MiB, and several pieces.
 */
const LENGTHS = [
  ...[0, 1, 3, 47, 48, 49, 64, 65, 79, 80, 129, 159, 160, 191, 192, 193, 255, 256, 257],
  ...[1023, 1024, 1025, 2047, 2048, 2049, 4095, 4096, 4097, 4197, 8191, 8192, 8193, 12_389],
  ...[16_385, 32_767, 32_768, 32_769, 65_537],
  ...[131_071, 131_072, 131_073, 300_001],
];
const OPS: readonly ReduceOp[] = ['sum', 'max', 'min', 'mean', 'product'];
const OF_WHOLE = OPS.filter((op) => op !== 'mean');
/** Where more than sums are looked at. */
const FEW_LENGTHS = [0, 1, 49, 257, 2049, 8193, 32_769, 131_073];

type Section = (all: ProcessGroup, groups: readonly ProcessGroup[]) => Promise<void>;

const SECTIONS: Record<string, Section> = {
  'sums of every length have the bits of the loop in rank order': async (all) => {
    for (const kind of KINDS) {
      for (const length of LENGTHS) await checkReduction(all, kind, 'sum', length);
    }
  },

  'maxima, minima, means and products have the bits of the loop, and NaN wins': async (all) => {
    for (const kind of KINDS) {
      for (const op of kind === Int32Array ? OF_WHOLE : OPS) {
        for (const length of FEW_LENGTHS) await checkReduction(all, kind, op, length);
      }
    }
    const odd = all.rank === all.size - 1 ? Number.NaN : 1;
    for (const op of ['max', 'min'] as const) {
      const result = await over(all, all.allReduce(Float64Array.of(odd, -0.5), { op }));
      deepStrictEqual([...result], [Number.NaN, -0.5], op);
    }
  },

  'sums of int32 wrap around': async (all) => {
    const [sum] = await over(all, all.allReduce(Int32Array.of(2 ** 30)));
    equal(sum, (all.size * 2 ** 30) | 0);
  },

  'gathers and broadcasts copy every length': async (all) => {
    for (const kind of KINDS) {
      for (const length of FEW_LENGTHS) await checkCopies(all, kind, length);
    }
  },

  'bytes are gathered and broadcast': async (all) => {
    for (const kind of [Uint8Array, Int8Array]) {
      for (const length of [0, 1, 65, 70_001]) {
        const bytesOf = (rank: number) => new kind(length).map((_, i) => i * (rank + 3));
        const gathered = await over(all, all.allGather(bytesOf(own(all))));
        equal(gathered.constructor, kind);
        all.ranks.forEach((rank, m) => {
          deepStrictEqual(gathered.slice(m * length, (m + 1) * length), bytesOf(rank));
        });
        const copy = await over(all, all.broadcast(bytesOf(own(all)), { root: all.size - 1 }));
        deepStrictEqual(copy, bytesOf(all.ranks[all.size - 1]));
      }
    }
    const text = Buffer.from(`rank ${own(all)}`);
    const texts = await over(all, all.allGather(text, { uneven: true }));
    deepStrictEqual(
      texts.map((bytes) => Buffer.from(bytes).toString()),
      all.ranks.map((rank) => `rank ${rank}`),
    );
  },

  'arrays of uneven lengths are gathered on request': async (all) => {
    for (const kind of KINDS) {
      for (const unit of [0, 1, 1000, 40_000]) {
        // The first rank gives nothing.
        const lengthOf = (rank: number) => unit * all.ranks.indexOf(rank);
        const data = dataOf(kind, own(all), lengthOf(own(all)));
        const gathered = await over(all, all.allGather(data, { uneven: true }));
        all.ranks.forEach((rank, m) => {
          same(gathered[m], dataOf(kind, rank, lengthOf(rank)), `uneven ${unit} of rank ${rank}`);
        });
      }
    }
  },

  'groups that overlap work, in any order of members': async (_, groups) => {
    for (const group of groups) {
      for (const op of OPS) await checkReduction(group, Float32Array, op, 1000);
      await checkCopies(group, Float64Array, 1000);
    }
  },

  'collectives under way end in another order than they were started in': async (_, groups) => {
    const works: [ProcessGroup, number, Work<Data>][] = [];
    for (const length of [5, 40_000, 129]) {
      for (const group of groups) {
        const data: Data = dataOf(Float64Array, own(group), length);
        works.push([group, length, group.allReduce(data)]);
      }
    }
    // Ranks wait in different orders: this must not matter.
    if (getRank() % 2 === 0) works.reverse();
    for (const [group, length, work] of works) {
      const what = `sum of ${length} in ${group.name}`;
      same(await over(group, work), sumOf(Float64Array, group.ranks, length), what);
    }
  },

  'arrays in shared memory are taken as they are': async (all) => {
    const buffers = [
      new SharedArrayBuffer(8 * 80_000),
      new WebAssembly.Memory({ initial: 10, maximum: 20, shared: true }).buffer,
    ];
    for (const buffer of buffers) {
      for (const length of [3, 2049, 70_000]) {
        const data = new Float64Array(buffer, 64, length);
        data.set(dataOf(Float64Array, own(all), length));
        await over(all, all.allReduce(data));
        same(data.slice(), sumOf(Float64Array, all.ranks, length), `shared ${length}`);
      }
    }
  },

  'long arrays may begin at any element, in memory that has grown since': async (all) => {
    const memory = new WebAssembly.Memory({ initial: 40, maximum: 80, shared: true });
    for (const buffer of [memory.buffer, new ArrayBuffer(40 << 16)]) {
      for (const place of [0, 1, 2]) {
        const count = 200_001 * (place + 1);
        const data = new Float32Array(buffer, 4 * (place + 1), count);
        data.set(dataOf(Float32Array, own(all), count));
        memory.grow(1);
        await over(all, all.allReduce(data));
        same(data.slice(), sumOf(Float32Array, all.ranks, count), `${count} from ${place + 1} on`);
      }
    }
  },

  'a long result that overlaps its input is that of the input as it was': async (all) => {
    const length = 300_001;
    for (const distance of [-100_000, -1, 1, 4096, 250_000]) {
      const at = Math.max(0, -distance);
      const room = new Float32Array(length + Math.abs(distance));
      const data = room.subarray(at, at + length);
      const out = room.subarray(at + distance, at + distance + length);
      data.set(dataOf(Float32Array, own(all), length));
      await over(all, all.allReduce(data, { out }));
      same(out.slice(), sumOf(Float32Array, all.ranks, length), `out ${distance} elements further`);
    }
  },
};

const END_SECTIONS: Record<string, Section> = {
  'a group that was destroyed can be made anew, with other ranks': async (all, groups) => {
    for (const group of groups.slice(1)) destroyGroup(group.name);
    if (all.size === 1) return;
    const again = createGroup('reversed', everyone(all));
    await checkReduction(again, Int32Array, 'sum', 10);
    await over(again, again.barrier());
    destroyGroup('reversed');
  },

  'a deadline names the rank that does not come, and ends the group': async (all) => {
    if (all.size === 1) return;
    const group = createGroup('late', everyone(all));
    const last = group.size - 1;
    if (group.rank < last) {
      const error = await failure(group, () => group.barrier({ timeout: 1, label: 'bn' }));
      equal(error instanceof DeadlineError, true, String(error));
      match(error.message, /^rank \d+ waited 1 s in barrier #1 of bn in group 'late' for rank /);
      match(error.message, new RegExp(`\\b${group.ranks[last]}$`));
      const after = await failure(group, () => group.barrier());
      equal(after.name, 'DeadlineError');
    }
    // Threads that block here would be a circle, which is found before any deadline.
    await all.barrier().done();
    destroyGroup('late');
    await all.barrier().done();
  },
};

const ALL_SECTIONS: Record<string, Section> = {
  ...SECTIONS,
  ...ERROR_SECTIONS,
  ...END_SECTIONS,
  ...GROUP_SECTIONS,
};

/** Sections of every carrier, and of those that tell members of one another's fate. */
export const COMMON_SECTIONS = Object.keys(ALL_SECTIONS);
export const SECTION_NAMES = [...COMMON_SECTIONS, ...Object.keys(FATE_SECTIONS)];

/** The groups of this rank: all ranks, and some that overlap. */
function makeGroups(): ProcessGroup[] {
  const [rank, size] = [getRank(), getGroupSize()];
  const all = everyone({ rank, size });
  const lists: [string, number[]][] = [
    ['world', all],
    ['pair', [0, 1]],
    ['reversed', all.slice().reverse()],
    ['but first', all.slice(1)],
    ['but last', all.slice(0, -1)],
  ];
  const possible = lists.filter(([, ranks]) => ranks.length > 0 && !ranks.some((r) => r >= size));
  return possible
    .filter(([, ranks]) => ranks.includes(rank))
    .map(([name, ranks]) => createGroup(name, ranks));
}

/**
 * @param names of the sections to run
 * @param onMet called when all groups have met
 */
export async function runContract(
  names: readonly string[] = SECTION_NAMES,
  onMet: (groups: readonly ProcessGroup[]) => void = () => {},
): Promise<Report> {
  const groups = makeGroups();
  for (const group of groups) await over(group, group.barrier());
  onMet(groups);
  const report: Report = {};
  const sections = { ...ALL_SECTIONS, ...FATE_SECTIONS };
  for (const name of names) {
    const section = sections[name];
    report[name] = [];
    try {
      await section(groups[0], groups);
    } catch (error) {
      report[name].push(String(error));
    }
  }
  return report;
}
