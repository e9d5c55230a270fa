/** The stages of element types beside float32; loaded apart. */

import { decode } from '../../core/binary-text.js';
import type { ComputeDType } from '../../core/dtype.js';
import type { Engine, Variants } from './engine.js';
import { float64, frequent } from './generated/types.js';

const TEXTS: Partial<Record<ComputeDType, string>> = { float64 };

export function variantsOf(dtype: ComputeDType, engine: Engine): Variants {
  return engine.variants(decode(TEXTS[dtype]!, frequent));
}
