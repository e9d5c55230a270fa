/**
 * Fingerprints of collectives: few numbers that ranks compare, and words for when they differ.
 * Shared by the transports, so that their errors read alike.
 */

import type { Collective, CollectiveKind, CopiedArray, ReduceOp } from './transport.js';

const KINDS: readonly CollectiveKind[] = [
  'allReduce',
  'allGather',
  'broadcast',
  'barrier',
  'raise',
  'gatherAll',
];
const OPS: readonly ReduceOp[] = ['sum', 'max', 'min', 'mean', 'product'];
const TYPES = ['float64', 'float32', 'int32', 'uint8', 'int8'] as const;
const CLASSES = [Float64Array, Float32Array, Int32Array, Uint8Array, Int8Array];

const OP_SHIFT = 3;
const TYPE_SHIFT = 6;
const ROOT_SHIFT = 9;

/** Place of an array's element type among the types. */
function typeIndex(array: CopiedArray): number {
  if (array instanceof Float64Array) return 0;
  return CLASSES.findIndex((kind) => array instanceof kind);
}

/** Kind, operation, element type and root in one Int32. */
export function encodeCall({ kind, op, input, root }: Collective): number {
  return (
    placeIn(KINDS, kind) |
    (placeIn(OPS, op) << OP_SHIFT) |
    (typeIndex(input) << TYPE_SHIFT) |
    (root << ROOT_SHIFT)
  );
}

/** `indexOf`, for lists whose first word is the usual one: half the time of the built-in. */
function placeIn<T>(list: readonly T[], word: T): number {
  let place = 0;
  while (list[place] !== word) place++;
  return place;
}

const RAISE = KINDS.indexOf('raise');
const GATHER_ALL = KINDS.indexOf('gatherAll');

/** True for the code of a rank that joined with an error. */
export function isRaise(code: number): boolean {
  return (code & 7) === RAISE;
}

/** True for the code of a gather whose lengths may differ. */
export function isUneven(code: number): boolean {
  return (code & 7) === GATHER_ALL;
}

/** "allReduce #17 of SyncBatchNorm 'bn2' with 129 float64" */
export function describeCall(code: number, count: number, call: number, label: string): string {
  const kind = KINDS[code & 7];
  const op = OPS[(code >> OP_SHIFT) & 7];
  const root = code >> ROOT_SHIFT;
  const name = kind === 'allReduce' && op !== 'sum' ? `${kind} (${op})` : kind;
  const owner = label === '' ? '' : ` of ${label}`;
  const from = kind === 'broadcast' ? ` from ${root}` : '';
  const data =
    kind === 'barrier' || kind === 'raise'
      ? ''
      : ` with ${count} ${TYPES[(code >> TYPE_SHIFT) & 7]}`;
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
