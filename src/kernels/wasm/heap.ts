/**
 * Arrays in the kernels' memory, by AssemblyScript's own allocator. Released explicitly or when
 * the array is collected; a view stays valid while the memory grows.
 */

import { ARRAYS, type DType, type TensorData } from '../../core/dtype.js';
import { bufferOf } from '../../core/typed-arrays.js';
import { type Engine, PAGE } from './engine.js';
import { BYTES } from './variant.js';

/** Kernels read whole vectors: up to this many bytes past an array. */
const PADDING = 64;
/**
 * Large arrays begin at different places of their pages: a core takes a load for one of the bytes
 * that it has just stored if the last 12 bits of their addresses are alike, and waits. Two arrays
 * of equal pages cost a backward pass over (256, 1024) half its speed.
 */
const LARGE = 32768;
const COLORS = 8;
const COLOR_BYTES = 448;
/**
 * All large arrays begin at the start of a cache line: kernels write rows line by line, and forward
 * over (256, 1024) takes a fifth longer if each turn of their loops ends in the middle of a line.
 */
const CACHE_LINE = 64;
/** Bytes of a large array's room before or after it and its padding. */
const SLACK = (COLORS - 1) * COLOR_BYTES + CACHE_LINE - 16;
/** AssemblyScript's allocator keeps a block's size in 30 bits. */
const MAX_BLOCK = 2 ** 30 - 16 - PADDING - SLACK;

/**
 * Bytes that cover the kernels' own memory while they run over `channels` channels, for any rows
 * and planes: up to 64 for each channel, or up to 32 KB for the positions of a run. The tests hold
 * all stages to it.
 */
export const scratchBytes = (channels: number) => (32 << 10) + 128 * channels;

interface Block {
  /** Pointer from the allocator, at or before the array. */
  readonly pointer: number;
  readonly bytes: number;
  /** Untouched memory of the array's size: the engine collects by the arrays' sizes. */
  readonly ballast: ArrayBuffer | null;
}

/** The least bytes of an array that are worth a ballast. */
const LEAST_BALLAST = 4096;

/**
 * To the engine an array of this memory is as small as its object: a loop that drops 6,000 arrays
 * of 1.6 MB ran out of 4 GiB before anything was collected. With a ballast 90 MB are in use.
 */
function ballastOf(bytes: number): ArrayBuffer | null {
  if (bytes < LEAST_BALLAST) return null;
  try {
    return new ArrayBuffer(bytes);
  } catch {
    return null;
  }
}

export class Heap {
  readonly #engine: Engine;
  readonly #blocks = new WeakMap<TensorData, Block>();
  readonly #collected = new FinalizationRegistry<Block>((block) => this.#free(block));
  /** Arrays that are known to lie in the memory: reading their buffer takes 10 ns. */
  readonly #owned = new WeakSet<TensorData>();
  /** Every buffer that the memory ever had: each growth makes a new, longer one. */
  readonly #buffers = new WeakSet<object>();
  #buffer: ArrayBufferLike;
  #bytesInUse = 0;
  /** Number of large arrays so far. */
  #large = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#buffer = engine.memory.buffer;
    this.#buffers.add(this.#buffer);
  }

  /** The memory that all arrays lie in. */
  get memory(): WebAssembly.Memory {
    return this.#engine.memory;
  }

  /** Bytes of all arrays that are not released. */
  get bytesInUse(): number {
    return this.#bytesInUse;
  }

  /** Bytes that the memory may grow to. */
  get capacity(): number {
    return this.#engine.maxPages * PAGE;
  }

  /** Bytes that the memory has grown to. */
  get size(): number {
    return this.#current().byteLength;
  }

  /** True if `array` lies in the kernels' memory, so that its byteOffset is its pointer. */
  owns(array: TensorData): boolean {
    if (this.#owned.has(array)) return true;
    const buffer = bufferOf(array);
    const owned = buffer === this.#buffer || this.#buffers.has(buffer);
    if (owned) this.#owned.add(array);
    return owned;
  }

  /** Views the `length` float64 at `pointer`. */
  view(pointer: number, length: number): Float64Array {
    return new Float64Array(this.#current(), pointer, length);
  }

  /** Allocates a zeroed array. @throws RangeError when memory is exhausted */
  allocate(dtype: DType, length: number): TensorData {
    const bytes = length * BYTES[dtype];
    // Room for any color: places of equal arrays stay interchangeable.
    const large = bytes >= LARGE;
    const room = bytes + PADDING + (large ? SLACK : 0);
    const take = () => this.#engine.allocate(room);
    const pointer = this.#take(bytes, `${length} ${dtype}`, take);
    const at = large ? this.#place(pointer) : pointer;
    const buffer = this.#current();
    const array = new ARRAYS[dtype](buffer as ArrayBuffer, at, length);
    array.fill(0);
    const block = { pointer, bytes, ballast: ballastOf(bytes) };
    this.#bytesInUse += bytes;
    this.#blocks.set(array, block);
    this.#collected.register(array, block, array);
    return array;
  }

  /** Finds the start of the next large array in the room at `pointer`. */
  #place(pointer: number): number {
    const color = this.#large++ % COLORS;
    return Math.ceil(pointer / CACHE_LINE) * CACHE_LINE + color * COLOR_BYTES;
  }

  /** Gives back an array of `allocate`; later calls and other arrays have no effect. */
  release(array: TensorData): void {
    const block = this.#blocks.get(array);
    if (block === undefined) return;
    this.#blocks.delete(array);
    this.#collected.unregister(array);
    this.#free(block);
  }

  /** Takes the memory that the kernels need to run over `channels` channels. @throws RangeError */
  reserveScratch(channels: number): void {
    const bytes = scratchBytes(channels);
    this.#take(bytes, `work on ${channels} channels`, () => this.#engine.reserveScratch(bytes));
  }

  #take<T>(bytes: number, what: string, take: () => T): T {
    if (bytes <= MAX_BLOCK) {
      try {
        return take();
      } catch (error) {
        // The allocator traps before it changes anything.
        if (!(error instanceof WebAssembly.RuntimeError)) throw error;
      }
    }
    throw new RangeError(
      `kernels: no memory for ${what} (${bytes} bytes): ${this.#bytesInUse} of ` +
        `${this.capacity} bytes are in use, and one array takes ${MAX_BLOCK} at most; ` +
        'release tensors that are no longer needed',
    );
  }

  #free(block: Block): void {
    this.#bytesInUse -= block.bytes;
    this.#engine.release(block.pointer);
  }

  /** The memory's buffer now: the allocator and the kernels' scratch may have grown it. */
  #current(): ArrayBufferLike {
    const buffer = this.#engine.memory.buffer;
    if (buffer !== this.#buffer) {
      this.#buffer = buffer;
      this.#buffers.add(buffer);
    }
    return buffer;
  }
}
