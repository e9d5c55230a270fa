/** Replaces the values of a piece that a mask does not count, by assembly/mask.ts. */

import { decode } from '../../core/binary-text.js';
import type { FloatArray } from '../../core/dtype.js';
import type { Layout } from '../../core/layout.js';
import type { Engine } from './engine.js';
import { mask } from './generated/mask.js';
import type { Piece } from './pieces.js';
import type { Staging } from './staging.js';
import { numberBytes } from './variant.js';

/** Position of a piece in its arrays and in the mask. */
export type Place = Pick<Piece, 'channel' | 'channels' | 'rows' | 'values' | 'place' | 'places'>;

export class Blend {
  readonly #staging: Staging;
  readonly #blends: Record<4 | 8, (...args: number[]) => void>;

  constructor(engine: Engine, staging: Staging) {
    this.#staging = staging;
    const { blend32, blend64 } = engine.instantiate(decode(mask));
    this.#blends = { 4: blend32, 8: blend64 } as Record<4 | 8, () => void>;
  }

  /**
   * Writes a - subs for values that count; for others b * fills, or fills without b (0). Pointers
   * to whole pieces; out may be a or b.
   * @param subs as fills, of the element type, in the kernels' memory, from channel `from` on
   */
  run(
    out: number,
    a: number,
    b: number,
    subs: FloatArray,
    fills: FloatArray,
    { channel, channels, rows, values, place, places }: Place,
    layout: Layout,
    from: number,
  ): void {
    const whole = layout.mask!.places;
    const bytes = numberBytes(layout.dtype);
    const staged = this.#staging.mask(layout.dtype);
    // Whole rows are a run of the mask, too.
    const [runs, length] = values === places ? [1, rows * values] : [rows, values];
    for (let i = 0; i < runs; i++) {
      const start = place + i * places;
      staged.set(whole.subarray(start, start + length), i * length);
    }
    const skipped = bytes * (channel - from);
    const [sub, fill] = [subs.byteOffset + skipped, fills.byteOffset + skipped];
    this.#blends[bytes](out, a, b, staged.byteOffset, sub, fill, channels, rows, values);
  }
}
