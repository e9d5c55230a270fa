/**
 * Element types: how each is stored, and the conversions of the two 16-bit formats.
 *
 * float16 is IEEE 754 binary16, bfloat16 the upper half of binary32. Both are stored as bit
 * patterns in a Uint16Array (Node 20 has no Float16Array) and rounded to nearest, ties to even.
 * If the engine has Float16Array, it is another view of the same bytes.
 */

import { show } from './show.js';

/** Names of the element types that a tensor may have. */
export const DTYPES = ['float32', 'float64', 'float16', 'bfloat16'] as const;

/** Element type of a {@link Tensor}. */
export type DType = (typeof DTYPES)[number];

/** Arrays that the kernels compute on. */
export type FloatArray = Float32Array | Float64Array;

/** Storage of a tensor: 16-bit types are bit patterns in a `Uint16Array`. */
export type TensorData = FloatArray | Uint16Array;

/** True if `value` names an element type. */
export function isDType(value: unknown): value is DType {
  return DTYPES.includes(value as DType);
}

/** Throws RangeError unless `value` names an element type; `what` opens the message. */
export function checkDType(value: unknown, what: string): DType {
  if (!isDType(value)) {
    throw new RangeError(`${what}: dtype must be one of ${DTYPES.join(', ')}, got ${show(value)}`);
  }
  return value;
}

/** The arrays of each type. */
export const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
};

/** Zeroed storage for `length` elements of `dtype`. */
export function allocate(dtype: DType, length: number): TensorData {
  return new ARRAYS[dtype](length);
}

/** Element types of computations. */
export type ComputeDType = 'float32' | 'float64';

/** The type that `dtype` is computed in: itself, or float32 for the 16-bit types. */
export function computeDType(dtype: DType): ComputeDType {
  return dtype === 'float64' ? 'float64' : 'float32';
}

/** A `Float16Array`, which TypeScript's libraries of ES2024 do not have. */
type Float16View = ArrayLike<number> & ArrayBufferView;

type Float16Class = new (buffer: ArrayBufferLike, at: number, length: number) => Float16View;

/** `Float16Array`, if the engine has it. */
export function float16Class(): Float16Class | undefined {
  return (globalThis as { Float16Array?: Float16Class }).Float16Array;
}

/** The bit patterns of a `Float16Array`, over its bytes; null for anything else. */
export function float16Bits(source: ArrayLike<number>): Uint16Array | null {
  const kind = float16Class();
  if (kind === undefined || !(source instanceof kind)) return null;
  return new Uint16Array(source.buffer, source.byteOffset, source.length);
}

const float32 = new Float32Array(1);
const bits32 = new Uint32Array(float32.buffer);

/** Value of the float16 bit pattern `bits`. */
export function fromFloat16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Bit pattern of the float16 nearest to `value`; beyond 65504 it rounds to infinity. */
export function toFloat16(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  // One unit in the last place: given by the exponent, never below the subnormals' 2^-24.
  const exponent = magnitude < 2 ** -14 ? -14 : Math.floor(Math.log2(magnitude));
  const units = roundHalfEven(magnitude * 2 ** (10 - exponent));
  // A carry out of the fraction moves into the exponent by itself: the fields are adjacent.
  return sign | (((exponent + 14) << 10) + units);
}

/** Value of the bfloat16 bit pattern `bits`. */
export function fromBfloat16(bits: number): number {
  bits32[0] = bits << 16;
  return float32[0];
}

/** Bit pattern of the bfloat16 nearest to `value` (through float32, as hardware does). */
export function toBfloat16(value: number): number {
  float32[0] = value;
  const bits = bits32[0];
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Widens `source` (of `dtype`) into numbers: the array itself, or float32 for 16-bit types. */
export function widen(source: TensorData, dtype: DType): FloatArray {
  if (!(source instanceof Uint16Array)) return source;
  const decode = dtype === 'bfloat16' ? fromBfloat16 : fromFloat16;
  const out = new Float32Array(source.length);
  for (let i = 0; i < out.length; i++) out[i] = decode(source[i]);
  return out;
}

/** Stores numbers into `target` (of `dtype`), rounding each to the nearest value it can hold. */
export function narrow(source: ArrayLike<number>, target: TensorData, dtype: DType): void {
  if (!(target instanceof Uint16Array)) {
    target.set(source);
    return;
  }
  const encode = dtype === 'bfloat16' ? toBfloat16 : toFloat16;
  for (let i = 0; i < target.length; i++) target[i] = encode(source[i]);
}
