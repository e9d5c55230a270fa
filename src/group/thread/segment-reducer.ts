/** Combines arrays that ranks have put into a segment, by WebAssembly SIMD if there is any. */

import { decode } from '../../core/binary-text.js';
import { instantiateReducer, type Reducer } from '../reducer.js';
import { reduce as binary } from './generated/reduce.js';
import type { Segment } from './segment.js';

let module: WebAssembly.Module | undefined;
const made = new WeakMap<Segment, Reducer | null>();

/** Returns the reducer for the segment's memory; null: there is no WebAssembly for it. */
export function reducerOf(segment: Segment): Reducer | null {
  let reducer = made.get(segment);
  if (reducer === undefined) {
    reducer = instantiate(segment);
    made.set(segment, reducer);
  }
  return reducer;
}

function instantiate({ memory }: Segment): Reducer | null {
  if (memory instanceof SharedArrayBuffer) return null;
  try {
    module ??= new WebAssembly.Module(decode(binary));
  } catch {
    return null;
  }
  return instantiateReducer(module, memory);
}
