/** Limits that the benchmark compares with: `copy` and `triad`, in the kernels' own memory. */

/** Copies `bytes` bytes by the engine's memory.copy: one read, one write. */
export function copy(target: usize, source: usize, bytes: usize): void {
  memory.copy(target, source, bytes);
}

/** target = a + b over float32, 16-byte vectors: two reads, one write. `bytes` a multiple of 64. */
export function triad(target: usize, a: usize, b: usize, bytes: usize): void {
  for (let i: usize = 0; i < bytes; i += 64) {
    v128.store(target + i, f32x4.add(v128.load(a + i), v128.load(b + i)), 0);
    v128.store(target + i, f32x4.add(v128.load(a + i, 16), v128.load(b + i, 16)), 16);
    v128.store(target + i, f32x4.add(v128.load(a + i, 32), v128.load(b + i, 32)), 32);
    v128.store(target + i, f32x4.add(v128.load(a + i, 48), v128.load(b + i, 48)), 48);
  }
}
