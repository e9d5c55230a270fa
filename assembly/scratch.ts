/**
 * Memory for what a kernel keeps of each channel while it runs; kept between calls, grown as
 * needed. The build with relaxed SIMD has no heap of its own: it imports the baseline's.
 */

declare function allocate(bytes: usize): usize;
declare function release(pointer: usize): void;

let start: usize = 0;
let size: usize = 0;

/** At least `bytes` bytes, 16-byte aligned, contents undefined. One user at a time. */
export function scratch(bytes: usize): usize {
  if (bytes > size) {
    const old = start;
    start = 0;
    size = 0;
    if (ASC_FEATURE_RELAXED_SIMD) {
      if (old !== 0) release(old);
      start = allocate(bytes);
    } else {
      if (old !== 0) heap.free(old);
      start = heap.alloc(bytes);
    }
    size = bytes;
  }
  return start;
}
