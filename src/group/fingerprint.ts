/**
 * What a collective is, in few numbers that ranks compare, and in words when they differ.
 * Shared by the transports, so that their errors read alike.
 */

import type { Collective, CollectiveArray, CollectiveKind, ReduceOp } from './transport.js';

const KINDS: readonly CollectiveKind[] = [
  'allReduce',
  'allGather',
  'broadcast',
  'barrier',
  'raise',
];
const OPS: readonly ReduceOp[] = ['sum', 'max', 'min'];
const TYPES = ['float64', 'float32', 'int32'] as const;

const ROOT_SHIFT = 8;

/** Place of an array's element type among the types. */
export function typeIndex(array: CollectiveArray): number {
  if (array instanceof Float64Array) return 0;
  return array instanceof Float32Array ? 1 : 2;
}

/** Kind, operation, element type and root in one Int32. */
export function encodeCall({ kind, op, input, root }: Collective): number {
  return (
    placeIn(KINDS, kind) | (placeIn(OPS, op) << 3) | (typeIndex(input) << 5) | (root << ROOT_SHIFT)
  );
}

/** `indexOf`, for lists whose first word is the usual one: half the time of the built-in. */
function placeIn<T>(list: readonly T[], word: T): number {
  let place = 0;
  while (list[place] !== word) place++;
  return place;
}

const RAISE = KINDS.length - 1;

/** Whether a code is that of a rank that joined with an error. */
export function isRaise(code: number): boolean {
  return (code & 7) === RAISE;
}

/** "allReduce #17 of SyncBatchNorm 'bn2' with 129 float64" */
export function describeCall(code: number, count: number, call: number, label: string): string {
  const kind = KINDS[code & 7];
  const op = OPS[(code >> 3) & 3];
  const root = code >> ROOT_SHIFT;
  const name = kind === 'allReduce' && op !== 'sum' ? `${kind} (${op})` : kind;
  const owner = label === '' ? '' : ` of ${label}`;
  const from = kind === 'broadcast' ? ` from ${root}` : '';
  const data =
    kind === 'barrier' || kind === 'raise' ? '' : ` with ${count} ${TYPES[(code >> 5) & 3]}`;
  return `${name} #${call}${owner}${from}${data}`;
}

const hashes = new Map<string, number>();

/** 32-bit FNV-1a of a label. Labels are few (one a layer) and are remembered. */
export function hashLabel(label: string): number {
  let hash = hashes.get(label);
  if (hash === undefined) {
    hash = 0x811c9dc5 | 0;
    for (let i = 0; i < label.length; i++) {
      hash = Math.imul(hash ^ label.charCodeAt(i), 0x01000193);
    }
    // A program that makes up labels without end must not fill the memory with them.
    if (hashes.size >= 4096) hashes.clear();
    hashes.set(label, hash);
  }
  return hash;
}
