/// <reference lib="esnext.disposable" preserve="true" />

/** Tensor: a typed array with a shape and an element type. Row major, always contiguous. */

import { checkType } from './checks.js';
import {
  allocate,
  checkDType,
  type DType,
  type FloatArray,
  float16Bits,
  float16Class,
  narrow,
  type TensorData,
  widen,
} from './dtype.js';
import { formatTensor } from './format.js';
import { formatShape, sizeOf } from './layout.js';
import { allocateFor, checkShape } from './shape.js';
import { show } from './show.js';
import { close, TensorMemory } from './tensor-memory.js';
import { checkAttached, isHollow } from './typed-arrays.js';

/** Source of a tensor: numbers, but no nested lists of numbers (give a shape). */
export type NumberSource = ArrayLike<number>;

/** A tensor as it comes out of `structuredClone`, `postMessage`, `v8.deserialize` and JSON. */
export interface TensorLike {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /**
   * As {@link Tensor.data}; or a list of numbers, in which JSON's gaps are 'NaN', 'Infinity',
   * '-Infinity' and '-0'.
   */
  readonly data: TensorData | readonly (number | string)[];
}

/**
 * `shape`, `dtype` and `data` are plain properties, so that cloning and sending a tensor keep them;
 * {@link Tensor.of} makes a tensor of the clone.
 */
export class Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /**
   * Elements, row major. float16 and bfloat16 are bit patterns in a `Uint16Array`. Reading it
   * throws an Error after `dispose`. A view: copy it (`clone`) to keep the numbers of a moment.
   */
  readonly data: TensorData;
  /** Gives the memory back, and knows all tensors that `reshape` made of this one. */
  #memory: TensorMemory | null;

  /**
   * Wraps `data` without a copy.
   * @param release is called once by `dispose`, for memory that is given back
   * @throws TypeError when `data` is not the array that stores `dtype`
   * @throws RangeError when `shape` does not describe `data`, or `dtype` is unknown
   */
  constructor(
    data: TensorData,
    shape: readonly number[],
    dtype: DType,
    release: (() => void) | null = null,
  ) {
    checkDType(dtype, 'Tensor');
    const sizes = checkShape(shape, 'Tensor');
    if (release !== null) checkType(release, 'function', 'Tensor: release');
    const storage = allocate(dtype, 0).constructor;
    // Not by its class alone, which any object can have.
    if (!(data instanceof (storage as typeof Float32Array) && ArrayBuffer.isView(data))) {
      throw new TypeError(
        `Tensor: ${dtype} is stored in a ${storage.name}, got ${show(data)}; use Tensor.from to convert`,
      );
    }
    if (sizeOf(sizes) !== data.length) {
      throw new RangeError(
        `Tensor: shape ${formatShape(sizes)} holds ${sizeOf(sizes)} elements, the data has ${data.length}`,
      );
    }
    this.shape = sizes;
    this.dtype = dtype;
    this.data = data;
    this.#memory = release === null ? null : new TensorMemory(release);
    this.#memory?.add(this);
  }

  /**
   * Gives the memory of an allocated tensor back at once; `using` calls it. All tensors that
   * `reshape` made of this one lose it, too. Views that a program has cut from `data` itself must
   * not be used any more.
   */
  dispose(): void {
    if (this.#memory === null) close(this);
    else this.#memory.end();
  }

  /** Calls {@link dispose}, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * A tensor of `shape` with the numbers of `source`, rounded to `dtype`.
   *
   * A typed array that already stores `dtype` is wrapped, not copied; for the 16-bit types a
   * `Uint16Array` is taken as bit patterns. A `Float16Array` is wrapped as float16.
   * @param source numbers, row major
   * @param shape default: one axis
   * @param dtype default: float64 for a `Float64Array`, float16 for a `Float16Array`, else float32
   */
  static from(source: NumberSource, shape?: readonly number[], dtype?: DType): Tensor {
    const isList = typeof source === 'object' && source !== null && !isHollow(source);
    if (!isList || typeof source.length !== 'number') {
      throw new TypeError(`Tensor.from: expected an array of numbers, got ${show(source)}`);
    }
    const bits = float16Bits(source);
    const own = source instanceof Float64Array ? 'float64' : bits === null ? 'float32' : 'float16';
    const kind = checkDType(dtype ?? own, 'Tensor.from');
    if (ArrayBuffer.isView(source)) checkAttached(source, 'Tensor.from');
    const { length } = source;
    const sizes = checkShape(shape ?? [length], 'Tensor.from');
    if (sizeOf(sizes) !== length) {
      throw new RangeError(
        `Tensor.from: shape ${formatShape(sizes)} holds ${sizeOf(sizes)} elements, the source has ${length}`,
      );
    }
    if (bits !== null && kind === 'float16') return new Tensor(bits, sizes, kind);
    if (source.constructor === allocate(kind, 0).constructor) {
      return new Tensor(source as unknown as TensorData, sizes, kind);
    }
    checkNumbers(source, length);
    const storage = allocateFor(sizes, kind, 'Tensor.from');
    narrow(source, storage, kind);
    return new Tensor(storage, sizes, kind);
  }

  /**
   * Makes a tensor with the shape, dtype and numbers of a clone, a message or JSON; returns a
   * tensor as it is. Typed arrays are wrapped, not copied.
   * @throws TypeError and RangeError for anything else
   */
  static of(source: TensorLike): Tensor {
    if (source instanceof Tensor) return source;
    if (source === null || typeof source !== 'object') {
      throw new TypeError(`Tensor.of: expected { shape, dtype, data }, got ${show(source)}`);
    }
    const { shape, dtype, data } = source;
    checkDType(dtype, 'Tensor.of');
    if (!Array.isArray(data)) return new Tensor(data as TensorData, shape, dtype);
    return Tensor.from(data.map(numberOf), shape, dtype);
  }

  /** A tensor of zeros. `dtype` defaults to float32. */
  static zeros(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    checkDType(dtype, 'Tensor.zeros');
    const sizes = checkShape(shape, 'Tensor.zeros');
    return new Tensor(allocateFor(sizes, dtype, 'Tensor.zeros'), sizes, dtype);
  }

  /** A tensor of ones. `dtype` defaults to float32. */
  static ones(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    return Tensor.full(shape, 1, dtype);
  }

  /** A tensor with `value` everywhere. `dtype` defaults to float32. */
  static full(shape: readonly number[], value: number, dtype: DType = 'float32'): Tensor {
    checkType(value, 'number', 'Tensor.full: the value');
    const tensor = Tensor.zeros(shape, dtype);
    const one = allocate(dtype, 1);
    narrow([value], one, dtype);
    tensor.data.fill(one[0]);
    return tensor;
  }

  /** Number of elements. */
  get size(): number {
    return this.data.length;
  }

  /** The elements as numbers: `data` itself, or a float32 copy for the 16-bit types. */
  toFloats(): FloatArray {
    return widen(this.data, this.dtype);
  }

  /**
   * The elements of a float16 tensor as a `Float16Array` over the same bytes.
   * @throws RangeError for another type; Error if the engine has no `Float16Array`
   */
  toFloat16Array(): ArrayLike<number> & ArrayBufferView {
    if (this.dtype !== 'float16') {
      throw new RangeError(
        `Tensor: toFloat16Array is of float16 tensors, this one is ${this.dtype}`,
      );
    }
    const View = float16Class();
    if (View === undefined) throw new Error('Tensor: this engine has no Float16Array');
    const { buffer, byteOffset, length } = this.data;
    return new View(buffer, byteOffset, length);
  }

  /** A copy with its own memory, rounded to `dtype` if given. */
  clone(dtype: DType = this.dtype): Tensor {
    if (dtype === this.dtype) return new Tensor(this.data.slice(), this.shape, dtype);
    const copy = Tensor.zeros(this.shape, dtype);
    narrow(this.toFloats(), copy.data, dtype);
    return copy;
  }

  /** The same elements under another shape; shares `data`, and the memory's end by `dispose`. */
  reshape(shape: readonly number[]): Tensor {
    const other = new Tensor(this.data, shape, this.dtype);
    other.#memory = this.#memory;
    this.#memory?.add(other);
    return other;
  }

  /** For `JSON.stringify`: numbers that JSON lacks go as text. `Tensor.of` reads it. */
  toJSON(): TensorLike {
    const data = Array.from(this.toFloats(), (value) =>
      Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : Object.is(value, -0)
          ? '-0'
          : `${value}`,
    );
    return { shape: this.shape, dtype: this.dtype, data };
  }

  /** The elements as NumPy prints them: nested brackets, aligned columns, large arrays shortened. */
  toString(): string {
    return formatTensor(this.toFloats(), this.shape, this.dtype);
  }

  /** Text that `console.log` shows in Node and Deno. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const text = this.toString().replaceAll('\n', '\n       ');
    return `Tensor(${text}, shape=${formatShape(this.shape)}, dtype=${this.dtype})`;
  }
}

const GAPS = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
]);

/** A number of JSON, or the text that stands for one. */
function numberOf(value: number | string, i: number): number {
  const number = typeof value === 'string' ? GAPS.get(value) : value;
  if (typeof number === 'number') return number;
  throw new TypeError(`Tensor.of: element ${i} is not a number but ${show(value)}`);
}

function checkNumbers(source: NumberSource, length: number): void {
  for (let i = 0; i < length; i++) {
    if (typeof source[i] !== 'number') {
      throw new TypeError(
        `Tensor.from: element ${i} is not a number but ${show(source[i])}; nested lists need flat() and a shape`,
      );
    }
  }
}
