/** Checks of collectives' arguments: TypeError for a wrong type, RangeError for a wrong value. */

import { show } from '../core/show.js';
import type { CollectiveArray, CollectiveKind, CopiedArray, ReduceOp } from './transport.js';

/** Name of a collective in programs. */
export const callOf = (kind: CollectiveKind) => (kind === 'gatherAll' ? 'allGather' : kind);

type ArrayClass = new (length: number) => CopiedArray;

/** Kinds of arrays that are combined, and that are copied. */
export const COMBINED: readonly ArrayClass[] = [Float64Array, Float32Array, Int32Array];
const COPIED: readonly ArrayClass[] = [...COMBINED, Uint8Array, Int8Array];

export function checkArray(
  kind: string,
  value: unknown,
  kinds: readonly ArrayClass[] = COPIED,
): void {
  // The usual ones first: this is on the path of every collective.
  if (ArrayBuffer.isView(value)) {
    if (value instanceof Float64Array || value instanceof Float32Array) return;
    if (kinds.some((array) => value instanceof array)) return;
  }
  const names = kinds.map(({ name }) => name);
  throw new TypeError(
    `${kind}: expected a ${names.slice(0, -1).join(', ')} or ${names.at(-1)}, got ${show(value)}`,
  );
}

const OPS: readonly ReduceOp[] = ['sum', 'max', 'min', 'mean', 'product'];

export function checkOp(op: unknown, data: CollectiveArray): void {
  if (!OPS.includes(op as ReduceOp)) {
    throw new RangeError(
      `allReduce: op must be ${OPS.slice(0, -1).join(', ')} or product, got ${show(op)}`,
    );
  }
  if (op === 'mean' && data instanceof Int32Array) {
    throw new TypeError(
      "allReduce: op 'mean' needs a Float64Array or Float32Array, got Int32Array",
    );
  }
}

/** Checks that `out` takes `length` elements like `data`'s; `why` explains the length. */
export function checkOut(
  kind: string,
  out: CopiedArray,
  data: CopiedArray,
  length: number,
  why = '',
): void {
  checkArray(kind, out);
  if (out.constructor === data.constructor && out.length === length) return;
  throw new RangeError(
    `${kind}: out must be a ${data.constructor.name} of ${length}${why && ` (${why})`}, ` +
      `got a ${out.constructor.name} of ${out.length}`,
  );
}
