/** What must be true of making and leaving groups, over every carrier: sections of the contract. */

import { equal, match } from 'node:assert/strict';
import { createGroup, destroyGroup, getRank, type ProcessGroup, type Work } from 'syncbn';
import { everyone } from './mpi-ranks.js';

type Section = (all: ProcessGroup) => Promise<void>;

/** Elements that take several pieces, on every carrier. */
const LONG = 262_144;

/** Waits in the ways that the group allows, in turns. */
let calls = 0;
export async function over<T>(group: ProcessGroup, work: Work<T>): Promise<T> {
  return group.mayBlock && calls++ % 3 !== 0 ? work.wait() : work.done();
}

/** The error that a collective ends with. */
export async function failure(group: ProcessGroup, start: () => Work<unknown>): Promise<Error> {
  try {
    await over(group, start());
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error, got none');
}

async function checkSum(group: ProcessGroup): Promise<void> {
  const [sum] = await over(group, group.allReduce(Float64Array.of(2 ** group.rank)));
  equal(sum, 2 ** group.size - 1, group.name);
}

function checkAll(numbers: Float64Array, wanted: number, what: string): void {
  const at = numbers.findIndex((number) => number !== wanted);
  equal(at < 0 ? wanted : numbers[at], wanted, `${what}, element ${at}`);
}

/** What ranks do that are left by a member: it must be told at once, whatever the deadline. */
async function checkLeft(group: ProcessGroup, who: number): Promise<void> {
  const start = performance.now();
  const error = await failure(group, () => group.barrier({ timeout: 60 }));
  equal(error.name, 'RankFailedError', String(error));
  match(error.message, new RegExp(`^rank ${who} left before barrier #\\d in group`));
  equal(performance.now() - start < 30_000, true, 'told before the deadline');
}

export const GROUP_SECTIONS: Record<string, Section> = {
  'groups are made in another order by every rank': async (all) => {
    const ranks = everyone(all);
    const lists = [
      ranks,
      ranks.toReversed(),
      ranks.slice(1),
      ranks.slice(0, -1),
      [0, all.size - 1],
    ];
    const specs = lists
      .map((list, i) => [`order ${i}`, [...new Set(list)]] as const)
      .filter(([, list]) => list.includes(getRank()));
    const turn = getRank() % specs.length;
    const groups = new Map<string, ProcessGroup>();
    for (const [name, list] of [...specs.slice(turn), ...specs.slice(0, turn)]) {
      groups.set(name, createGroup(name, list));
    }
    for (const [name] of specs) await checkSum(groups.get(name)!);
    for (const [name] of specs) destroyGroup(name);
  },

  'many groups are made and destroyed, one after the other': async (all) => {
    for (let i = 0; i < 100; i++) {
      const group = createGroup(`brief ${i % 3}`, everyone(all));
      if (i % 5 !== 4) await checkSum(group);
      destroyGroup(group.name);
    }
  },
};

/** Those of carriers that tell members of one another's fate. */
export const FATE_SECTIONS: Record<string, Section> = {
  'a member that comes late to a group fails it by name, and trying again works': async (all) => {
    if (all.size === 1) return;
    const last = all.size - 1;
    if (all.rank < last) {
      const group = createGroup('slow', everyone(all));
      const error = await failure(group, () => group.barrier({ timeout: 1 }));
      equal(error.name, 'DeadlineError', String(error));
      match(
        error.message,
        new RegExp(`waited 1 s in barrier #1 in group 'slow' for rank ${last}$`),
      );
      destroyGroup('slow');
    }
    // Threads that block here would be a circle, which is found before any deadline.
    await all.barrier().done();
    if (all.rank === last) {
      const late = createGroup('slow', everyone(all));
      const error = await failure(late, () => late.barrier({ timeout: 1 }));
      match(error.name, /DeadlineError|RankFailedError/);
      destroyGroup('slow');
    }
    const again = createGroup('slow', everyone(all));
    await checkSum(again);
    destroyGroup('slow');
  },

  'what is sent to a group that others have destroyed reaches no memory of theirs': async (all) => {
    if (all.size === 1) return;
    const last = all.size - 1;
    const others = everyone(all).slice(0, last);
    const sum = (group: ProcessGroup, of: number, timeout = 60) =>
      group.allReduce(new Float64Array(LONG).fill(of), { timeout });
    if (all.rank < last) {
      const group = createGroup('late', everyone(all));
      const error = await failure(group, () => sum(group, 7, 0.5));
      equal(error.name, 'DeadlineError', String(error));
      destroyGroup('late');
    }
    // What may lie where the group's memory was: frames of another group, and arrays.
    const bystanders = all.rank < last ? createGroup('bystanders', others) : null;
    if (bystanders !== null) await over(bystanders, bystanders.barrier());
    const arrays = Array.from({ length: 64 }, () => new Float64Array(LONG / 8).fill(0.5));
    await all.barrier().done();
    if (all.rank === last) {
      const late = createGroup('late', everyone(all));
      const error = await failure(late, () => sum(late, 7, 0.5));
      match(error.name, /DeadlineError|RankFailedError/);
      destroyGroup('late');
    } else if (bystanders !== null) {
      for (let turn = 1; turn <= 20; turn++) {
        const total: Float64Array = await over(bystanders, sum(bystanders, turn));
        checkAll(total, turn * others.length, `turn ${turn}`);
      }
    }
    await all.barrier().done();
    for (const array of arrays) checkAll(array, 0.5, 'an array');
    if (bystanders !== null) destroyGroup('bystanders');
  },

  'a member that destroys a group fails the others at once, by name': async (all) => {
    if (all.size === 1) return;
    const last = all.size - 1;
    const group = createGroup('left', everyone(all));
    await checkSum(group);
    if (all.rank === last) destroyGroup('left');
    else await checkLeft(group, last);
    await all.barrier().done();
    if (all.rank < last) destroyGroup('left');
  },

  'a member that has destroyed a group before others make it fails them at once': async (all) => {
    if (all.size === 1) return;
    const last = all.size - 1;
    if (all.rank === last) {
      createGroup('left early', everyone(all));
      destroyGroup('left early');
    }
    await over(all, all.barrier());
    if (all.rank < last) await checkLeft(createGroup('left early', everyone(all)), last);
    await all.barrier().done();
    if (all.rank < last) destroyGroup('left early');
  },
};
