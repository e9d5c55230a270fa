/** Memory for numbers that a kernel keeps of each channel while it runs: see heap.ts. */

/**
 * Returns at least `bytes` bytes, 16-byte aligned, contents undefined. One user at a time. Callers
 * of the kernels take it beforehand: kernels trap if memory is exhausted.
 */
export declare function scratch(bytes: usize): usize;
