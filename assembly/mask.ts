/**
 * Arrays under a mask: a - sub for values that count; for others b * fill, or fill if b is 0.
 * `mask` has a byte for each value of a channel: 255 if it counts, else 0.
 *
 * `rows` rows of `channels` channels of `values` values, one after the other in all arrays; `sub`
 * and `fill` have a number for each channel. All are aligned to F. out may be a or b.
 */

/** Widens bytes of a mask to 16 bytes of F: all ones or zeros. */
function lanesOf<F>(mask: usize): v128 {
  if (sizeof<F>() === 4) return v128.extend_low<i16>(v128.extend_low<i8>(v128.load32_zero(mask)));
  const two = v128.splat<i16>(load<i16>(mask));
  return v128.extend_low<i32>(v128.extend_low<i16>(v128.extend_low<i8>(two)));
}

function blendPlane<F>(
  out: usize,
  a: usize,
  b: usize,
  mask: usize,
  sub: F,
  fill: F,
  values: usize,
): void {
  const lanes = 16 / sizeof<F>();
  const subs = v128.splat<F>(sub);
  const fills = v128.splat<F>(fill);
  const end = mask + values;
  for (; mask + lanes <= end; mask += lanes) {
    const other = b === 0 ? fills : v128.mul<F>(v128.load(b), fills);
    v128.store(out, v128.bitselect(v128.sub<F>(v128.load(a), subs), other, lanesOf<F>(mask)));
    out += 16;
    a += 16;
    if (b !== 0) b += 16;
  }
  for (; mask < end; mask++) {
    const other = b === 0 ? fill : load<F>(b) * fill;
    store<F>(out, load<u8>(mask) === 0 ? other : load<F>(a) - sub);
    out += sizeof<F>();
    a += sizeof<F>();
    if (b !== 0) b += sizeof<F>();
  }
}

/** Blends a row with one value of each channel, all of which count or not. */
function blendRow<F>(
  out: usize,
  a: usize,
  b: usize,
  counts: bool,
  sub: usize,
  fill: usize,
  channels: usize,
): void {
  const bytes = channels * sizeof<F>();
  const whole = bytes & ~15;
  let p: usize = 0;
  for (; p < whole; p += 16) {
    if (counts) v128.store(out + p, v128.sub<F>(v128.load(a + p), v128.load(sub + p)));
    else if (b === 0) v128.store(out + p, v128.load(fill + p));
    else v128.store(out + p, v128.mul<F>(v128.load(b + p), v128.load(fill + p)));
  }
  for (; p < bytes; p += sizeof<F>()) {
    if (counts) store<F>(out + p, load<F>(a + p) - load<F>(sub + p));
    else if (b === 0) store<F>(out + p, load<F>(fill + p));
    else store<F>(out + p, load<F>(b + p) * load<F>(fill + p));
  }
}

function blend<F>(
  out: usize,
  a: usize,
  b: usize,
  mask: usize,
  sub: usize,
  fill: usize,
  channels: usize,
  rows: usize,
  values: usize,
): void {
  const bytes = values * sizeof<F>();
  for (; rows > 0; rows--, mask += values) {
    if (values === 1) {
      blendRow<F>(out, a, b, load<u8>(mask) !== 0, sub, fill, channels);
    } else {
      for (let c: usize = 0, at: usize = 0; c < channels; c++, at += bytes) {
        const s = load<F>(sub + c * sizeof<F>());
        const f = load<F>(fill + c * sizeof<F>());
        blendPlane<F>(out + at, a + at, b === 0 ? 0 : b + at, mask, s, f, values);
      }
    }
    out += channels * bytes;
    a += channels * bytes;
    if (b !== 0) b += channels * bytes;
  }
}

export function blend32(
  out: usize,
  a: usize,
  b: usize,
  mask: usize,
  sub: usize,
  fill: usize,
  channels: usize,
  rows: usize,
  values: usize,
): void {
  blend<f32>(out, a, b, mask, sub, fill, channels, rows, values);
}

export function blend64(
  out: usize,
  a: usize,
  b: usize,
  mask: usize,
  sub: usize,
  fill: usize,
  channels: usize,
  rows: usize,
  values: usize,
): void {
  blend<f64>(out, a, b, mask, sub, fill, channels, rows, values);
}
