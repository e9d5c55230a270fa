/** The header of a safetensors file: everything in it is checked before any tensor is made. */

import { formatShape } from '../core/layout.js';
import { show, showText } from '../core/show.js';

/** A file's texts besides its tensors, by name. */
export type Metadata = Record<string, string>;

/** One tensor of a file: its bytes are [from, to) of the bytes after the header. */
export interface Entry {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  /** Elements. */
  readonly count: number;
  readonly from: number;
  readonly to: number;
}

export interface Header {
  readonly entries: readonly Entry[];
  readonly metadata: Metadata;
  /** Offset at which the tensors' bytes begin. */
  readonly start: number;
}

/** Bytes of an element of the types that can be read. */
const WIDTHS: Readonly<Record<string, number>> = {
  ...{ F64: 8, F32: 4, F16: 2, BF16: 2 },
  ...{ I64: 8, U64: 8, I32: 4, U32: 4, I16: 2, U16: 2, I8: 1, U8: 1, BOOL: 1 },
};
/** The format's own limit. */
const MOST_HEADER_BYTES = 100_000_000;

function wrong(what: string): RangeError {
  return new RangeError(`decodeSafetensors: ${what}`);
}

/** @throws RangeError */
export function readHeader(all: Uint8Array): Header {
  if (all.length < 8) throw wrong(`a file has 8 bytes at least, got ${all.length}`);
  const length = new DataView(all.buffer, all.byteOffset).getBigUint64(0, true);
  if (length > BigInt(Math.min(all.length - 8, MOST_HEADER_BYTES))) {
    throw wrong(`the header would have ${length} bytes, the file has ${all.length - 8} after them`);
  }
  const start = 8 + Number(length);
  const value = parse(all.subarray(8, start));
  if (!isObject(value)) throw wrong(`the header must be an object, got ${show(value)}`);
  const entries = Object.entries(value).filter(([name]) => name !== '__metadata__');
  const metadata = Object.hasOwn(value, '__metadata__') ? value.__metadata__ : {};
  return { entries: entries.map(readEntry), metadata: readMetadata(metadata), start };
}

function parse(bytes: Uint8Array): unknown {
  if (bytes[0] !== 0x7b) throw wrong("the header must begin with '{'");
  try {
    // A copy: TextDecoder refuses shared memory in browsers.
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes.slice()));
  } catch (error) {
    throw wrong(`the header is not JSON: ${(error as Error).message}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readMetadata(metadata: unknown): Metadata {
  if (!isObject(metadata)) {
    throw wrong(`__metadata__ must be text by name, got ${show(metadata)}`);
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === 'string') continue;
    throw wrong(`__metadata__ '${showText(name)}' must be text, got ${show(value)}`);
  }
  return metadata as Metadata;
}

function readEntry([name, value]: [string, unknown]): Entry {
  const who = `'${showText(name)}'`;
  if (!isObject(value)) throw wrong(`${who} must be described by an object, got ${show(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(WIDTHS, dtype)) {
    throw wrong(`${who} has dtype ${show(dtype)}; known are ${Object.keys(WIDTHS).join(', ')}`);
  }
  if (!isListOfSizes(shape)) throw wrong(`${who} must have a list of sizes, got ${show(shape)}`);
  if (!isListOfSizes(offsets) || offsets.length !== 2 || offsets[0] > offsets[1]) {
    throw wrong(`${who} must have two data_offsets in rising order, got ${show(offsets)}`);
  }
  const count = shape.reduce((product, size) => product * size, 1);
  const [from, to] = offsets;
  if (count * WIDTHS[dtype] !== to - from) {
    throw wrong(`${who} of shape ${formatShape(shape)} ${dtype} cannot have ${to - from} bytes`);
  }
  return { name, dtype, shape, count, from, to };
}

function isListOfSizes(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((size) => Number.isSafeInteger(size) && size >= 0 && !Object.is(size, -0))
  );
}

/** @throws RangeError unless the tensors lie one after the other and fill all `length` bytes */
export function checkOffsets(entries: readonly Entry[], length: number): void {
  const sorted = [...entries].sort((a, b) => a.from - b.from || a.to - b.to);
  let end = 0;
  for (const { name, from, to } of sorted) {
    if (from !== end) {
      throw wrong(`'${showText(name)}' begins at byte ${from}, the one before it ends at ${end}`);
    }
    end = to;
  }
  if (end !== length) throw wrong(`the tensors end at byte ${end}, the file at ${length}`);
}
