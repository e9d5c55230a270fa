/** The kernels of element types besides float32; src/features/ has their code. */

import { decode } from '../../core/binary-text.js';
import type { DType } from '../../core/dtype.js';
import { slotFor } from '../../core/features.js';
import type { Engine, Variants } from './engine.js';

type Other = Exclude<DType, 'float32'>;

/** Builds as text. */
export const texts = {
  float64: slotFor<string>('float64'),
  float16: slotFor<string>('float16'),
  bfloat16: slotFor<string>('bfloat16'),
};

/** Exports of a build: its stages, and for 16 bits the conversions to float32 and back. */
export interface TypeKernels extends Variants {
  /** Converts `count` elements from one pointer to another. */
  widen(target: number, source: number, count: number): void;
  narrow(target: number, source: number, count: number): void;
}

const made = new WeakMap<Engine, Partial<Record<Other, TypeKernels>>>();

export function kernelsOf(dtype: DType, engine: Engine): TypeKernels {
  const own = made.get(engine) ?? {};
  made.set(engine, own);
  const type = dtype as Other;
  own[type] ??= engine.variants(decode(texts[type]())) as unknown as TypeKernels;
  return own[type];
}
