/** What sections of the contract check again and again: one collective's result, to the bit. */

import type { ProcessGroup, ReduceOp } from 'syncbn';
import { over } from './group-contract.js';
import { combined, type Data, dataOf, type Kind, same, sumOf } from './mpi-ranks.js';

/** World rank of this rank. */
export const own = (group: ProcessGroup) => group.ranks[group.rank];

const COMBINE = { max: Math.max, min: Math.min, product: (a: number, b: number) => a * b };

/** In rank order; float32 is rounded once at the end, and products of whole numbers wrap around. */
function expectedOf(kind: Kind, op: ReduceOp, ranks: readonly number[], length: number): Data {
  if (op === 'sum') return sumOf(kind, ranks, length);
  if (op === 'mean') return sumOf(kind, ranks, length).map((sum) => sum / ranks.length) as Data;
  const isWhole = kind === Int32Array && op === 'product';
  return combined(kind, ranks, length, isWhole ? Math.imul : COMBINE[op]);
}

export async function checkReduction(
  group: ProcessGroup,
  kind: Kind,
  op: ReduceOp,
  length: number,
) {
  const what = `${op} of ${length} ${kind.name} in ${group.name}`;
  const expected = expectedOf(kind, op, group.ranks, length);
  const data = dataOf(kind, own(group), length);
  const out = new kind(length);
  same(await over(group, group.allReduce(data, { op, out })), expected, `${what}, out of place`);
  same(data, dataOf(kind, own(group), length), `${what}, the input`);
  same(await over(group, group.allReduce(data, { op })), expected, `${what}, in place`);
}

export async function checkCopies(group: ProcessGroup, kind: Kind, length: number): Promise<void> {
  const what = `${length} ${kind.name} in ${group.name}`;
  const gathered = await over(group, group.allGather(dataOf(kind, own(group), length)));
  group.ranks.forEach((rank, i) => {
    const part = gathered.subarray(i * length, (i + 1) * length) as Data;
    same(part, dataOf(kind, rank, length), `gather from ${rank} of ${what}`);
  });
  const root = group.size - 1;
  const copy = await over(group, group.broadcast(dataOf(kind, own(group), length), { root }));
  same(copy, dataOf(kind, group.ranks[root], length), `broadcast of ${what}`);
}
