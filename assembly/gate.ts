/**
 * The gradient through a rectifier: dy if y is above 0 or NaN, else 0. `rows` rows of `bytes`
 * bytes, `stride` bytes apart, of float32, float64, or 16 bits, aligned to their elements. out may
 * be dy or y. All kernels give the same bits: numbers are moved, and none is computed.
 */

/** Returns dy of one vector in lanes where y is not 0 or below. */
function gated<F>(dy: v128, y: v128, infinity: v128): v128 {
  if (isFloat<F>()) return v128.andnot(dy, v128.le<F>(y, i64x2.splat(0)));
  // Patterns of 16 bits: those above 0 as integers, and NaN with a sign.
  const nan = i16x8.gt_s(v128.and(y, i16x8.splat(0x7fff)), infinity);
  return v128.and(dy, v128.or(i16x8.gt_s(y, i64x2.splat(0)), nan));
}

function gateRows<F>(
  out: usize,
  dy: usize,
  y: usize,
  rows: usize,
  stride: usize,
  bytes: usize,
  infinity: i16,
): void {
  const infinities = i16x8.splat(infinity);
  for (; rows > 0; rows--, out += stride, dy += stride, y += stride) {
    const whole = bytes & ~63;
    let p: usize = 0;
    for (; p < whole; p += 64) {
      const g0 = gated<F>(v128.load(dy + p), v128.load(y + p), infinities);
      const g1 = gated<F>(v128.load(dy + p, 16), v128.load(y + p, 16), infinities);
      const g2 = gated<F>(v128.load(dy + p, 32), v128.load(y + p, 32), infinities);
      const g3 = gated<F>(v128.load(dy + p, 48), v128.load(y + p, 48), infinities);
      v128.store(out + p, g0);
      v128.store(out + p, g1, 16);
      v128.store(out + p, g2, 32);
      v128.store(out + p, g3, 48);
    }
    for (; p < bytes; p += sizeof<F>()) {
      const g = gated<F>(v128.load(dy + p), v128.load(y + p), infinities);
      if (sizeof<F>() === 8) v128.store64_lane(out + p, g, 0);
      else if (sizeof<F>() === 4) v128.store32_lane(out + p, g, 0);
      else v128.store16_lane(out + p, g, 0);
    }
  }
}

/** Gates elements of `size` bytes; those of 2 have the pattern `infinity` for infinity. */
export function gate(
  size: i32,
  infinity: i16,
  out: usize,
  dy: usize,
  y: usize,
  rows: usize,
  stride: usize,
  bytes: usize,
): void {
  if (size === 4) gateRows<f32>(out, dy, y, rows, stride, bytes, 0);
  else if (size === 8) gateRows<f64>(out, dy, y, rows, stride, bytes, 0);
  else gateRows<i16>(out, dy, y, rows, stride, bytes, infinity);
}
