/** The heap of the kernels' memory: AssemblyScript's own allocator (two-level segregated fit). */

/** Allocates `bytes` bytes, 16-byte aligned, contents undefined; traps if memory is exhausted. */
export function allocate(bytes: usize): usize {
  return heap.alloc(bytes);
}

/** Gives back memory of {@link allocate}. */
export function release(pointer: usize): void {
  heap.free(pointer);
}

let start: usize = 0;
let size: usize = 0;

/** The memory that kernels of all builds keep between calls, one user at a time; grows. */
export function scratch(bytes: usize): usize {
  if (bytes > size) {
    // The old memory stays until there is a new one.
    const old = start;
    start = heap.alloc(bytes);
    if (old !== 0) heap.free(old);
    size = bytes;
  }
  return start;
}
