/**
 * Tensors by name in the safetensors format (github.com/huggingface/safetensors): 8 bytes that hold
 * the length of a header, the header, which is JSON, and the tensors' bytes, little-endian and
 * concatenated. A file holds nothing that runs. No library on npm reads and writes all of it.
 */

import { allocate, type DType } from '../core/dtype.js';
import { checkOptionNames } from '../core/options.js';
import { show, showText } from '../core/show.js';
import { Tensor, type TensorLike } from '../core/tensor.js';
import { checkOffsets, type Entry, type Metadata, readHeader } from './header.js';
import { readIntegers } from './integers.js';

export interface Safetensors {
  readonly tensors: Record<string, Tensor>;
  readonly metadata: Metadata;
}

/** Tensors by name, and state dictionaries, whose tensors are called 'name.weight' and so on. */
export type NamedTensors = Readonly<
  Record<string, TensorLike | Readonly<Record<string, TensorLike>>>
>;

export interface EncodeOptions {
  metadata?: Metadata;
}

const ENCODE = 'encodeSafetensors';
const TYPES: Readonly<Record<DType, string>> = {
  float64: 'F64',
  float32: 'F32',
  bfloat16: 'BF16',
  float16: 'F16',
};
const FLOATS: Readonly<Record<string, DType>> = {
  F64: 'float64',
  F32: 'float32',
  BF16: 'bfloat16',
  F16: 'float16',
};
const RESERVED = '__metadata__';
/** Bytes that the header's end is a multiple of, so that all tensors are aligned for arrays. */
const ALIGNMENT = 8;

/**
 * Makes the bytes of a file with `tensors`: tensors, or their clones and JSON. The widest types
 * come first, and each type by name, as the format's own library writes them.
 * @throws TypeError for anything but tensors, and metadata that are not text; RangeError for a name
 *   twice and for '__metadata__'
 */
export function encodeSafetensors(
  tensors: NamedTensors,
  options: EncodeOptions = {},
): Uint8Array<ArrayBuffer> {
  checkOptionNames(options, ['metadata'], ENCODE);
  const { metadata } = options;
  if (metadata !== undefined) checkMetadata(metadata);
  const entries = flatten(tensors).sort(byWidthAndName);
  const header: [string, object][] = metadata === undefined ? [] : [[RESERVED, metadata]];
  let length = 0;
  for (const [name, { data, dtype, shape }] of entries) {
    const end = length + data.byteLength;
    header.push([name, { dtype: TYPES[dtype], shape, data_offsets: [length, end] }]);
    length = end;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const start = Math.ceil((8 + text.length) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(start + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  bytes.fill(0x20, 8 + text.length, start);
  let at = start;
  for (const [, { data }] of entries) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * Reads the tensors in the bytes of a file, as copies. Integers and booleans come as float64.
 * @throws TypeError for anything but bytes; RangeError for bytes that are not such a file, for
 *   types that tensors do not have, and for integers that float64 does not hold
 */
export function decodeSafetensors(bytes: Uint8Array | ArrayBuffer): Safetensors {
  const all = bytesOf(bytes);
  const { entries, metadata, start } = readHeader(all);
  checkOffsets(entries, all.length - start);
  const tensors = entries.map((entry) => [entry.name, tensorOf(entry, all, start)] as const);
  // Own properties, even for names like __proto__.
  return { tensors: Object.fromEntries(tensors), metadata };
}

/** Takes the tensors called `name.weight` and so on, without `name.`: the state of one layer. */
export function stateOf(
  tensors: Readonly<Record<string, Tensor>>,
  name: string,
): Record<string, Tensor> {
  const own = Object.entries(tensors).filter(([key]) => key.startsWith(`${name}.`));
  return Object.fromEntries(own.map(([key, tensor]) => [key.slice(name.length + 1), tensor]));
}

function bytesOf(bytes: unknown): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes);
  throw new TypeError(
    `decodeSafetensors: expected a Uint8Array or an ArrayBuffer, got ${show(bytes)}`,
  );
}

function tensorOf(entry: Entry, all: Uint8Array, start: number): Tensor {
  const { dtype, shape, name, from, to, count } = entry;
  const own = all.subarray(start + from, start + to);
  const float = FLOATS[dtype];
  if (float === undefined) return new Tensor(readIntegers(own, dtype, name), shape, 'float64');
  const data = allocate(float, count);
  new Uint8Array(data.buffer).set(own);
  return new Tensor(data, shape, float);
}

function checkMetadata(metadata: unknown): void {
  if (typeof metadata !== 'object' || metadata === null) {
    throw new TypeError(`${ENCODE}: metadata must be text by name, got ${show(metadata)}`);
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (typeof value === 'string') continue;
    throw new TypeError(`${ENCODE}: metadata '${showText(name)}' must be text, got ${show(value)}`);
  }
}

/** Lists all tensors by their whole names. */
function flatten(tensors: NamedTensors): [string, Tensor][] {
  if (typeof tensors !== 'object' || tensors === null) {
    throw new TypeError(`${ENCODE}: expected tensors by name, got ${show(tensors)}`);
  }
  const flat = Object.entries(tensors).flatMap(([name, value]): [string, Tensor][] => {
    if (isTensorLike(value)) return [[name, tensorFrom(value, name)]];
    if (typeof value !== 'object' || value === null) tensorFrom(value, name);
    const inner = Object.entries(value as Readonly<Record<string, TensorLike>>);
    return inner.map(([key, own]) => [`${name}.${key}`, tensorFrom(own, `${name}.${key}`)]);
  });
  const names = new Set<string>();
  for (const [name] of flat) {
    if (name === RESERVED) throw new RangeError(`${ENCODE}: no tensor can be called ${RESERVED}`);
    if (names.has(name)) {
      throw new RangeError(`${ENCODE}: there are two tensors called '${showText(name)}'`);
    }
    names.add(name);
  }
  return flat;
}

function isTensorLike(value: unknown): value is TensorLike {
  return typeof value === 'object' && value !== null && 'dtype' in value && 'data' in value;
}

function tensorFrom(value: unknown, name: string): Tensor {
  try {
    return Tensor.of(value as TensorLike);
  } catch (error) {
    const { message } = error as Error;
    throw new TypeError(`${ENCODE}: '${showText(name)}' is not a tensor: ${message}`);
  }
}

function byWidthAndName([a, one]: [string, Tensor], [b, other]: [string, Tensor]): number {
  const width = other.data.BYTES_PER_ELEMENT - one.data.BYTES_PER_ELEMENT;
  if (width !== 0) return width;
  if (one.dtype !== other.dtype) return one.dtype < other.dtype ? -1 : 1;
  return a < b ? -1 : 1;
}
