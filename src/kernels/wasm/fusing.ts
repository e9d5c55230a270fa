/**
 * One binary of the float32 kernels for engines with relaxed SIMD and for engines without. Wherever
 * a product is added (`madd` of assembly/lanes.ts) it has two marks of three bytes each,
 * instructions that the kernels do not use otherwise: one in place of the product, one in place of
 * the sum.
 */

type Bytes = readonly [number, number, number];

/** f32x4.relaxed_min and f32x4.relaxed_max. */
const MARKS: readonly Bytes[] = [
  [0xfd, 0x8d, 0x02],
  [0xfd, 0x8e, 0x02],
];
/** Three nops, which leave both factors on the stack, and f32x4.relaxed_madd. */
const FUSED: readonly Bytes[] = [
  [0x01, 0x01, 0x01],
  [0xfd, 0x85, 0x02],
];
/** f32x4.mul and f32x4.add. */
const APART: readonly Bytes[] = [
  [0xfd, 0xe6, 0x01],
  [0xfd, 0xe4, 0x01],
];

/** Replaces the marks by products and sums: rounded once if `fused`, otherwise twice. */
export function unmarked(binary: Uint8Array, fused: boolean): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary);
  const instead = fused ? FUSED : APART;
  for (let i = 0; i + 2 < bytes.length; i++) {
    const mark = MARKS.findIndex((given) => given.every((byte, j) => byte === bytes[i + j]));
    if (mark >= 0) bytes.set(instead[mark], i);
  }
  return bytes;
}
