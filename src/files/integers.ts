/** Integers of a file as float64, which holds integers of 53 bits. */

import { showText } from '../core/show.js';

type Read = (view: DataView, at: number) => number | bigint;

const READS: Readonly<Record<string, readonly [bytes: number, read: Read]>> = {
  I64: [8, (view, at) => view.getBigInt64(at, true)],
  U64: [8, (view, at) => view.getBigUint64(at, true)],
  I32: [4, (view, at) => view.getInt32(at, true)],
  U32: [4, (view, at) => view.getUint32(at, true)],
  I16: [2, (view, at) => view.getInt16(at, true)],
  U16: [2, (view, at) => view.getUint16(at, true)],
  I8: [1, (view, at) => view.getInt8(at)],
  U8: [1, (view, at) => view.getUint8(at)],
  BOOL: [1, (view, at) => view.getUint8(at)],
};

/** @throws RangeError for an integer that float64 does not hold, and for a boolean above 1 */
export function readIntegers(bytes: Uint8Array, dtype: string, name: string): Float64Array {
  const [size, read] = READS[dtype];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Float64Array.from({ length: bytes.length / size }, (_, i) => {
    const value = read(view, i * size);
    const isHeld = Number.isSafeInteger(Number(value)) && (dtype !== 'BOOL' || Number(value) <= 1);
    if (isHeld) return Number(value);
    throw new RangeError(
      `decodeSafetensors: '${showText(name)}'[${i}] is ${value}, which is no ${
        dtype === 'BOOL' ? 'boolean' : 'number that float64 holds'
      }`,
    );
  });
}
