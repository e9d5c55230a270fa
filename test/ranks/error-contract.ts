/** What must be true when ranks disagree or one fails, over every carrier: sections of the contract. */

import { equal, match } from 'node:assert/strict';
import { MismatchError, type ProcessGroup, RankFailedError, type Work } from 'syncbn';
import { checkReduction } from './contract-checks.js';
import { failure, over } from './group-contract.js';

type Section = (all: ProcessGroup, groups: readonly ProcessGroup[]) => Promise<void>;

/** Every member's call of a pair that does not go together, by what differs. */
const DISAGREEMENTS: Record<string, (group: ProcessGroup, isOdd: boolean) => Work<unknown>> = {
  kinds: (group, isOdd) => (isOdd ? group.allReduce(new Float64Array(129)) : group.barrier()),
  lengths: (group, isOdd) => group.allReduce(new Float64Array(isOdd ? 129 : 128)),
  'long and short': (group, isOdd) => group.allReduce(new Float64Array(isOdd ? 3000 : 128)),
  'short and long': (group, isOdd) => group.allReduce(new Float64Array(isOdd ? 128 : 3000)),
  'two ways': (group, isOdd) => group.allReduce(new Float64Array(isOdd ? 5000 : 3000)),
  'pieces and none': (group, isOdd) => group.allReduce(new Float64Array(isOdd ? 200_000 : 128)),
  types: (group, isOdd) => group.allReduce(isOdd ? new Float32Array(9) : new Int32Array(9)),
  operations: (group, isOdd) => group.allReduce(new Float64Array(9), { op: isOdd ? 'max' : 'sum' }),
  roots: (group, isOdd) => group.broadcast(new Float64Array(9), { root: isOdd ? 1 : 0 }),
  labels: (group, isOdd) => group.barrier({ label: isOdd ? 'bn1' : 'bn2' }),
  'even and uneven': (group, isOdd) =>
    isOdd
      ? group.allGather(new Float64Array(9))
      : group.allGather(new Float64Array(9), { uneven: true }),
  'gather and sum': (group, isOdd) =>
    isOdd ? group.allGather(new Float64Array(9)) : group.allReduce(new Float64Array(9)),
};

/** After each error the group goes on. */
export const ERROR_SECTIONS: Record<string, Section> = {
  'ranks that disagree all get the error that names both sides': async (_, groups) => {
    for (const group of groups.filter(({ size }) => size > 1)) {
      const [first, last] = [group.ranks[0], group.ranks[group.size - 1]];
      const isOdd = group.rank === group.size - 1;
      const label = "SyncBatchNorm 'bn2'";
      const error = await failure(group, () =>
        isOdd ? group.allReduce(new Float64Array(129), { label }) : group.barrier(),
      );
      equal(error.name, 'MismatchError');
      const number = /#(\d+)/.exec(error.message)?.[1];
      equal(
        error.message,
        `ranks disagree in group '${group.name}': rank ${last} is in allReduce #${number} of ` +
          `${label} with 129 float64, rank ${first} in barrier #${number}`,
      );
    }
  },

  'every kind of disagreement is found by all, and the group goes on': async (all) => {
    if (all.size === 1) return;
    for (const [what, call] of Object.entries(DISAGREEMENTS)) {
      const isOdd = all.rank === all.size - 1;
      const error = await failure(all, () => call(all, isOdd));
      equal(error instanceof MismatchError, true, `${what}: ${error}`);
      match(error.message, new RegExp(`rank ${all.ranks[all.size - 1]} is in .*, rank `), what);
      await checkReduction(all, Float64Array, 'sum', 129);
    }
  },

  'a rank that joins with an error fails all in its words, and the group goes on': async (all) => {
    if (all.size === 1) return;
    const text = 'numFeatures must be 3, got 4 (ü)';
    for (const length of [0, 50, 5000, 200_000]) {
      const error = await failure(all, () =>
        all.rank === 1 ? all.raise(text) : all.allReduce(new Float32Array(length)),
      );
      equal(error instanceof RankFailedError, true, String(error));
      equal((error as RankFailedError).rank, all.ranks[1]);
      equal(error.message, `rank ${all.ranks[1]} failed: ${text}`);
      await checkReduction(all, Float64Array, 'sum', 129);
    }
  },

  'an array that is detached on the way fails all by name, and the group goes on': async (
    all,
    groups,
  ) => {
    if (all.size === 1) return;
    const signal = groups.find(({ name }) => name === 'reversed') as ProcessGroup;
    const cases = [
      { length: 9, isBehind: true },
      { length: 5000, isBehind: true },
      // The others are under way by then: in two rounds, or in pieces.
      { length: 16_000, isBehind: false },
      { length: 200_000, isBehind: false },
      { length: 200_000, isBehind: false, distance: 3 },
    ];
    for (const { length, isBehind, distance = 0 } of cases) {
      const start = () => {
        const room = new Float64Array(length + distance);
        const data = room.subarray(0, length);
        const out = room.subarray(distance);
        const works = [...(isBehind ? [all.barrier()] : []), all.allReduce(data, { out })];
        return { data, works };
      };
      const ahead = all.rank === 1 ? start() : null;
      if (ahead !== null) structuredClone(ahead.data, { transfer: [ahead.data.buffer] });
      await over(signal, signal.barrier());
      const { works } = ahead ?? start();
      if (isBehind) await over<unknown>(all, works[0]);
      const error = await failure(all, () => works[works.length - 1]);
      equal(error.name, 'RankFailedError', String(error));
      match(error.message, new RegExp(`^rank ${all.ranks[1]} failed: TypeError: .*detached`));
      await checkReduction(all, Float64Array, 'sum', 129);
    }
  },
};
