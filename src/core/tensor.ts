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
 * {@link Tensor.of} makes a tensor of what comes out.
 */
export class Tensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /**
   * Elements, row major. float16 and bfloat16 are bit patterns in a `Uint16Array`. Reading it
   * throws an Error after `dispose`. A view: copy it (`clone`) to keep the numbers of a moment.
   */
  readonly data: TensorData;
  /** What gives the memory back, and all tensors that `reshape` made of this one. */
  #memory: Memory | null;

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
    this.shape = [...shape];
    this.dtype = dtype;
    this.data = data;
    this.#memory = release === null ? null : new Memory(release);
    this.#memory?.add(this);
  }

  /**
   * Gives the memory of an allocated tensor back at once; `using` calls it. It is then gone for
   * all tensors that `reshape` made of it, too. Views that a program has cut from `data` itself must
   * not be used any more.
   */
  dispose(): void {
    if (this.#memory === null) close(this);
    else this.#memory.end();
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

  /**
   * A tensor with the shape, dtype and numbers of what came out of a clone, a message or JSON; a
   * tensor as it is. Typed arrays are wrapped, not copied.
   * @throws TypeError and RangeError for what is none
   */
  static of(source: TensorLike): Tensor {
    if (source instanceof Tensor) return source;
    if (source === null || typeof source !== 'object') {
      throw new TypeError(`Tensor.of: expected { shape, dtype, data }, got ${describe(source)}`);
    }
    const { shape, dtype, data } = source;
    checkDType(dtype, 'Tensor.of');
    if (!Array.isArray(data)) return new Tensor(data as TensorData, shape, dtype);
    return Tensor.from(data.map(numberOf), shape, dtype);
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

  /** The same elements under another shape; shares `data`, and the memory's end by `dispose`. */
  reshape(shape: readonly number[]): Tensor {
    const other = new Tensor(this.data, shape, this.dtype);
    other.#memory = this.#memory;
    this.#memory?.add(other);
    return other;
  }

  /** For `JSON.stringify`: numbers that JSON lacks go as text. `Tensor.of` takes it back. */
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

  /** What `console.log` shows in Node and Deno. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    const text = this.toString().replaceAll('\n', '\n       ');
    return `Tensor(${text}, shape=${formatShape(this.shape)}, dtype=${this.dtype})`;
  }
}

/** Memory that is given back once, and the tensors that lie in it. */
class Memory {
  #release: (() => void) | null;
  #tensors: WeakRef<Tensor>[] = [];
  /** Tensors at which those that are gone are looked for. */
  #most = 16;

  constructor(release: () => void) {
    this.#release = release;
  }

  add(tensor: Tensor): void {
    if (this.#tensors.length === this.#most) {
      this.#tensors = this.#tensors.filter((reference) => reference.deref() !== undefined);
      this.#most = Math.max(16, 2 * this.#tensors.length);
    }
    this.#tensors.push(new WeakRef(tensor));
  }

  end(): void {
    for (const reference of this.#tensors.splice(0)) {
      const tensor = reference.deref();
      if (tensor !== undefined) close(tensor);
    }
    this.#release?.();
    this.#release = null;
  }
}

/** Puts an error in the place of a tensor's elements. */
function close(tensor: Tensor): void {
  const text = `Tensor: this tensor of shape ${formatShape(tensor.shape)} was disposed`;
  Object.defineProperty(tensor, 'data', {
    get: () => {
      throw new Error(text);
    },
  });
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
  throw new TypeError(`Tensor.of: element ${i} is not a number but ${describe(value)}`);
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
