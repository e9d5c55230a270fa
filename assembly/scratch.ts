/** Memory for what a kernel keeps of each channel while it runs: heap.ts of the base has it. */

/**
 * At least `bytes` bytes, 16-byte aligned, contents undefined. One user at a time. Callers of the
 * kernels take it beforehand: kernels trap where there is no more memory.
 */
export declare function scratch(bytes: usize): usize;
