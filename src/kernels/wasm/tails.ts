/**
 * The stages of calls with a tail, by assembly/tail.ts and gate.ts. Arrays of float32 and float64
 * in the kernels' memory are read and written in place; 16 bits, foreign arrays and zeros of a mask
 * go by pieces through the staging arrays.
 */

import { decode } from '../../core/binary-text.js';
import type { TensorData } from '../../core/dtype.js';
import { type Layout, valuesPerChannel } from '../../core/layout.js';
import type { ChannelRange, Normalization, Tail, TailStages } from '../kernels.js';
import { Blend } from './blend.js';
import type { Engine, Stage } from './engine.js';
import { gate, tail32, tail64 } from './generated/tail.js';
import type { Heap } from './heap.js';
import { Numbers } from './numbers.js';
import { copyIn, copyOut, type Piece, piecesOf, pointersOf } from './pieces.js';
import { isHalf, maskedCapacity, SLOTS, type Staging } from './staging.js';
import { BYTES, byRows, numberBytes, rowsOf } from './variant.js';

/** Words of a kernel's arguments. */
const WORDS = 'out dy x mean invstd weight bias channels rows stride values';

/** A build's kernels, without and with a rectifier. */
interface Kernels {
  readonly plane: readonly [Stage, Stage];
  readonly row: readonly [Stage, Stage];
}

/** Patterns of infinity: 16-bit patterns above them are NaN. */
const INFINITY: Partial<Record<Layout['dtype'], number>> = { float16: 0x7c00, bfloat16: 0x7f80 };

export class Tails implements TailStages {
  readonly #engine: Engine;
  readonly #heap: Heap;
  readonly #staging: Staging;
  readonly #numbers: Numbers;
  readonly #gate: Stage;
  readonly #kernels: Partial<Record<4 | 8, Kernels>> = {};
  #blend: Blend | null = null;

  constructor(engine: Engine, heap: Heap, staging: Staging) {
    this.#engine = engine;
    this.#heap = heap;
    this.#staging = staging;
    this.#numbers = new Numbers(engine, heap, staging);
    this.#gate = engine.instantiate(decode(gate)).gate as Stage;
  }

  normalize(
    y: TensorData,
    x: TensorData,
    { add, rectify }: Tail,
    by: Normalization,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
    if (valuesPerChannel(layout) === 0) return;
    const { dtype, channels } = layout;
    const bytes = numberBytes(dtype);
    const staging = this.#staging;
    const parameters = [
      staging.input(SLOTS.mean, by.mean, from, to, 8),
      staging.input(SLOTS.invstd, by.invstd, from, to, 8),
      staging.input(SLOTS.weight, by.weight, from, to, bytes),
      staging.input(SLOTS.bias, by.bias, from, to, bytes),
    ];
    const { rows, values } = rowsOf(layout);
    if (!isHalf(dtype) && !layout.mask?.zero && this.#owns(y, x, add)) {
      const at = from * values * bytes;
      const z = add === null ? 0 : add.byteOffset + at;
      const pointers = [y.byteOffset + at, z, x.byteOffset + at];
      const shape = [to - from, rows, channels * values * bytes, values] as const;
      this.#run(bytes, pointers, parameters, shape, rectify);
      return;
    }
    for (const piece of piecesOf(layout, { from, to }, maskedCapacity(dtype))) {
      const xAt = this.#numbers.in(0, x, piece, dtype);
      const z = add === null ? 0 : this.#numbers.in(1, add, piece, dtype);
      const out = this.#numbers.place(y, piece, dtype);
      const own = pointersOf(parameters, piece.channel - from, [8, 8, bytes, bytes]);
      const shape = [piece.channels, piece.rows, piece.width * bytes, piece.values] as const;
      this.#run(bytes, [out, z, xAt], own, shape, rectify);
      if (layout.mask?.zero) this.#zero(out, piece, layout);
      this.#numbers.out(y, piece, dtype);
    }
  }

  gate(
    g: TensorData,
    dy: TensorData,
    y: TensorData,
    layout: Layout,
    { from, to }: ChannelRange,
  ): void {
    if (valuesPerChannel(layout) === 0) return;
    const bytes = BYTES[layout.dtype];
    const kind = [bytes, INFINITY[layout.dtype] ?? 0];
    if (this.#owns(g, dy, y)) {
      const { rows, values } = rowsOf(layout);
      const [at, width] = [from * values * bytes, (to - from) * values * bytes];
      const stride = layout.channels * values * bytes;
      const pointers = [g, dy, y].map(({ byteOffset }) => byteOffset + at);
      // Rows of all channels are consecutive.
      if (width === stride) this.#gate(...kind, ...pointers, 1, 0, rows * width);
      else this.#gate(...kind, ...pointers, rows, stride, width);
      return;
    }
    for (const piece of piecesOf(layout, { from, to }, maskedCapacity(layout.dtype))) {
      const staged = [dy, y].map((array, index) => this.#staging.tensor(index, array));
      copyIn(staged[0], dy, piece);
      copyIn(staged[1], y, piece);
      const [a, b] = staged.map(({ byteOffset }) => byteOffset);
      this.#gate(...kind, a, a, b, 1, 0, piece.rows * piece.width * bytes);
      copyOut(g, staged[0], piece);
    }
  }

  #owns(...arrays: (TensorData | null)[]): boolean {
    return arrays.every((array) => array === null || this.#heap.owns(array));
  }

  /** Runs a kernel over whole numbers: `pointers` to y, z and x, and to the parameters. */
  #run(
    bytes: 4 | 8,
    pointers: readonly number[],
    parameters: readonly number[],
    shape: readonly [channels: number, rows: number, stride: number, values: number],
    rectify: boolean,
  ): void {
    this.#kernels[bytes] ??= this.#build(decode(bytes === 4 ? tail32 : tail64));
    const { plane, row } = this.#kernels[bytes];
    const [, rows, , values] = shape;
    const kernel = (byRows(rows, values, bytes) ? row : plane)[rectify ? 1 : 0];
    kernel(...pointers, ...parameters, ...shape);
  }

  #build(binary: Uint8Array<ArrayBuffer>): Kernels {
    const exports = this.#engine.instantiate(binary);
    const stage = (name: string) => this.#engine.stage(exports, name, WORDS);
    return {
      plane: [stage('planeTail'), stage('planeTailRectified')],
      row: [stage('rowTail'), stage('rowTailRectified')],
    };
  }

  /** Puts zeros at values that do not count. */
  #zero(at: number, piece: Piece, layout: Layout): void {
    this.#blend ??= new Blend(this.#engine, this.#staging);
    const { channel, channels } = piece;
    const bytes = numberBytes(layout.dtype);
    const zeros = this.#staging.channel(SLOTS.out0, channels, bytes).fill(0, 0, channels);
    this.#blend.run(at, at, 0, zeros, zeros, piece, layout, channel);
  }
}
