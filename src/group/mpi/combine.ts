/**
 * Combines the ranks' blocks in rank order, with the bits of the readable loop: by WebAssembly where
 * they lie in its memory, by MPI_Reduce_local where that is faster or there is none (it adds element
 * by element, so a chain of it gives the same bits), and by the loop itself where both would not do.
 */

import { reduceRanks } from '../reduce.js';
import type { Blocks } from '../rounds/contributions.js';
import type { CollectiveArray, ReduceOp } from '../transport.js';
import { addressOf } from './library/koffi.js';
import { check, type Mpi } from './library/library.js';

/** Elements from which on WebAssembly and a copy, or a call of MPI, are faster than a loop. */
const WASM_FROM = 48;
const NATIVE_FROM = 192;

/** Writes the combination of the first `count` elements of all blocks to `out`. May spoil blocks. */
export function combine(
  mpi: Mpi,
  blocks: Blocks,
  out: CollectiveArray,
  op: ReduceOp,
  count: number,
): void {
  const { views, reduce } = blocks;
  if (reduce !== null && count >= WASM_FROM) {
    const isWithin = blocks.isWithin(out);
    const result = isWithin ? out : blocks.room(count);
    reduce(result, views, op, 0, count);
    if (!isWithin) out.set(result);
    return;
  }
  const type = count < NATIVE_FROM || op !== 'sum' ? 0 : nativeType(mpi, out, views.length);
  if (type !== 0) {
    addNatively(mpi, blocks, out, type, count);
  } else if (views.length === 2 && op === 'sum' && out instanceof Float64Array) {
    addPair(out, views[0] as Float64Array, views[1] as Float64Array, count);
  } else {
    reduceRanks(out, views, op, 0, count);
  }
}

/**
 * Adds the other rank's block to `out`, which holds this rank's numbers already: no copy is left to
 * make. Of two, either order gives the same bits.
 * @returns false where this way is none, and nothing was done
 */
export function addOther(
  mpi: Mpi,
  blocks: Blocks,
  other: number,
  out: CollectiveArray,
  count: number,
): boolean {
  if (count < NATIVE_FROM || (blocks.reduce !== null && !mpi.abi.sumsFast)) return false;
  const type = nativeType(mpi, out, 2);
  if (type === 0) return false;
  const to = addressOf(mpi.koffi, out);
  const code = mpi.call.MPI_Reduce_local(blocks.addressOf(other), to, count, type, mpi.abi.sum);
  if (code !== 0) check(mpi, 'MPI_Reduce_local', code);
  return true;
}

function addNatively(
  mpi: Mpi,
  blocks: Blocks,
  out: CollectiveArray,
  type: number,
  count: number,
): void {
  const { MPI_Reduce_local } = mpi.call;
  const { views } = blocks;
  // Of two, either order gives the same bits, so the sum can be where it is wanted.
  const into = views.length === 2 && out === views[1] ? 1 : 0;
  for (let r = 0; r < views.length; r++) {
    if (r === into) continue;
    const code = MPI_Reduce_local(
      blocks.addressOf(r),
      blocks.addressOf(into),
      count,
      type,
      mpi.abi.sum,
    );
    if (code !== 0) check(mpi, 'MPI_Reduce_local', code);
  }
  if (out !== views[into]) out.set(views[into].subarray(0, count));
}

/** The most frequent sum, in a function of its own so that it is compiled for this type alone. */
function addPair(out: Float64Array, a: Float64Array, b: Float64Array, count: number): void {
  let i = 0;
  // Four at a time: half the time of one at a time, in V8.
  for (; i + 3 < count; i += 4) {
    out[i] = a[i] + b[i];
    out[i + 1] = a[i + 1] + b[i + 1];
    out[i + 2] = a[i + 2] + b[i + 2];
    out[i + 3] = a[i + 3] + b[i + 3];
  }
  for (; i < count; i++) out[i] = a[i] + b[i];
}

/**
 * MPI's type for a sum with the loop's bits, or 0. Float32 sums of more than two ranks are carried
 * in float64, and Int32 sums wrap around, which C does not promise.
 */
function nativeType({ abi }: Mpi, like: CollectiveArray, ranks: number): number {
  if (like instanceof Float64Array) return abi.double;
  return like instanceof Float32Array && ranks === 2 ? abi.float : 0;
}
