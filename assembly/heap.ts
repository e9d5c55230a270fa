/** The heap of the kernels' memory: AssemblyScript's own allocator (two-level segregated fit). */

/** `bytes` of memory, 16-byte aligned, contents undefined; traps where there is no more. */
export function allocate(bytes: usize): usize {
  return heap.alloc(bytes);
}

/** Gives back what {@link allocate} returned. */
export function release(pointer: usize): void {
  heap.free(pointer);
}
