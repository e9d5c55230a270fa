/// <reference lib="esnext.disposable" preserve="true" />

/** Tensor: a typed array with a shape and an element type. Row major, always contiguous. */

import {
  allocate,
  checkDType,
  type DType,
  type FloatArray,
  narrow,
  type TensorData,
  widen,
} from './dtype.js';
import { formatTensor } from './format.js';
import { formatShape, sizeOf } from './layout.js';

/** What a tensor can be made of: numbers, nested lists of numbers excepted (give a shape). */
export type NumberSource = ArrayLike<number>;

export class Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  #data: TensorData | null;
  #release: (() => void) | null;

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
    checkShape(shape);
    const storage = allocate(dtype, 0).constructor;
    if (!(data instanceof (storage as typeof Float32Array))) {
      throw new TypeError(
        `Tensor: ${dtype} is stored in a ${storage.name}, got ${describe(data)}; use Tensor.from to convert`,
      );
    }
    if (sizeOf(shape) !== data.length) {
      throw new RangeError(
        `Tensor: shape ${formatShape(shape)} holds ${sizeOf(shape)} elements, the data has ${data.length}`,
      );
    }
    this.#data = data;
    this.#release = release;
    this.shape = [...shape];
    this.dtype = dtype;
  }

  /**
   * Elements, row major. float16 and bfloat16 are bit patterns in a `Uint16Array`.
   * @throws Error after `dispose`
   */
  get data(): TensorData {
    if (this.#data === null) {
      throw new Error(`Tensor: this tensor of shape ${formatShape(this.shape)} was disposed`);
    }
    return this.#data;
  }

  /** Gives the memory of an allocated tensor back at once; `using` calls it. */
  dispose(): void {
    this.#data = null;
    this.#release?.();
    this.#release = null;
  }

  /** The same, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * A tensor of `shape` with the numbers of `source`, rounded to `dtype`.
   *
   * A typed array that already stores `dtype` is wrapped, not copied; for the 16-bit types a
   * `Uint16Array` is taken as bit patterns.
   * @param source numbers, row major
   * @param shape default: one axis
   * @param dtype default: float64 for a `Float64Array`, otherwise float32
   */
  static from(source: NumberSource, shape?: readonly number[], dtype?: DType): Tensor {
    if (source === null || typeof source !== 'object' || typeof source.length !== 'number') {
      throw new TypeError(`Tensor.from: expected an array of numbers, got ${describe(source)}`);
    }
    const kind = checkDType(
      dtype ?? (source instanceof Float64Array ? 'float64' : 'float32'),
      'Tensor.from',
    );
    const sizes = shape ?? [source.length];
    checkShape(sizes);
    if (sizeOf(sizes) !== source.length) {
      throw new RangeError(
        `Tensor.from: shape ${formatShape(sizes)} holds ${sizeOf(sizes)} elements, the source has ${source.length}`,
      );
    }
    const data = allocate(kind, 0);
    if (source.constructor === data.constructor) {
      return new Tensor(source as unknown as TensorData, sizes, kind);
    }
    const storage = allocate(kind, source.length);
    narrow(numbersOf(source), storage, kind);
    return new Tensor(storage, sizes, kind);
  }

  /** A tensor of zeros. `dtype` defaults to float32. */
  static zeros(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    checkShape(shape);
    return new Tensor(allocate(checkDType(dtype, 'Tensor.zeros'), sizeOf(shape)), shape, dtype);
  }

  /** A tensor of ones. `dtype` defaults to float32. */
  static ones(shape: readonly number[], dtype: DType = 'float32'): Tensor {
    return Tensor.full(shape, 1, dtype);
  }

  /** A tensor with `value` everywhere. `dtype` defaults to float32. */
  static full(shape: readonly number[], value: number, dtype: DType = 'float32'): Tensor {
    if (typeof value !== 'number') {
      throw new TypeError(`Tensor.full: the value must be a number, got ${describe(value)}`);
    }
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

  /** A tensor of its own with the same elements, rounded to `dtype` where given. */
  clone(dtype: DType = this.dtype): Tensor {
    if (dtype === this.dtype) return new Tensor(this.data.slice(), this.shape, dtype);
    const copy = Tensor.zeros(this.shape, dtype);
    narrow(this.toFloats(), copy.data, dtype);
    return copy;
  }

  /** The same elements under another shape; shares `data`. */
  reshape(shape: readonly number[]): Tensor {
    return new Tensor(this.data, shape, this.dtype);
  }

  /** The elements as NumPy prints them: nested brackets, aligned columns, large arrays shortened. */
  toString(): string {
    return formatTensor(this.toFloats(), this.shape, this.dtype);
  }

  /** What `console.log` shows in Node and Deno. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const text = this.toString().replaceAll('\n', '\n       ');
    return `Tensor(${text}, shape=${formatShape(this.shape)}, dtype=${this.dtype})`;
  }
}

function checkShape(shape: readonly number[]): void {
  if (!Array.isArray(shape)) {
    throw new TypeError(`Tensor: shape must be a list of sizes, got ${describe(shape)}`);
  }
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new RangeError(`Tensor: sizes are integers of 0 and more, got [${shape.join(', ')}]`);
    }
  }
}

function numbersOf(source: NumberSource): NumberSource {
  for (let i = 0; i < source.length; i++) {
    if (typeof source[i] !== 'number') {
      throw new TypeError(
        `Tensor.from: element ${i} is not a number but ${describe(source[i])}; nested lists need flat() and a shape`,
      );
    }
  }
  return source;
}

function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return `${typeof value} ${String(value)}`;
  return value.constructor?.name ?? 'an object';
}
