/**
 * Memory for what a kernel keeps of each channel while it runs; kept between calls, grown as
 * needed. Builds of stages have no heap of their own: they import that of the base.
 */

declare function allocate(bytes: usize): usize;
declare function release(pointer: usize): void;

let start: usize = 0;
let size: usize = 0;

/**
 * At least `bytes` bytes, 16-byte aligned, contents undefined. One user at a time. Callers of the
 * kernels take it beforehand: kernels trap where there is no more memory.
 */
export function scratch(bytes: usize): usize {
  if (bytes > size) {
    // The old one stays until there is a new one.
    const old = start;
    start = allocate(bytes);
    if (old !== 0) release(old);
    size = bytes;
  }
  return start;
}
