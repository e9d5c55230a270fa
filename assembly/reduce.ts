/**
 * Combination of the members' slots in one memory, element by element, in the members' order, so
 * that every rank gets the same bits: in the memory that the threads of a world share, or in the
 * memory of a process's frames.
 *
 * out[i] = op(slot 0[i], slot 1[i], ...) for `bytes` bytes from `out` and `first` on, both aligned
 * to 16; slots are `stride` bytes apart, and `members` of them at least 1. Whole vectors are read
 * and written: up to 15 bytes past the last element change.
 */

type Op = i32;
const SUM: Op = 0;
const MAX: Op = 1;

/** Combines one vector of all members; float32 sums come from {@link sumOfFloats}. */
function combine<T>(p: usize, stride: usize, members: usize, op: Op): v128 {
  let result = v128.load(p);
  for (let m: usize = 1; m < members; m++) {
    p += stride;
    const next = v128.load(p);
    if (op === SUM) result = v128.add<T>(result, next);
    else if (op === MAX) result = v128.max<T>(result, next);
    else result = v128.min<T>(result, next);
  }
  return result;
}

/** Sums float32 in float64, rounded once. */
function sumOfFloats(p: usize, stride: usize, members: usize): v128 {
  let low = f64x2.splat(0);
  let high = low;
  for (let m: usize = 0; m < members; m++) {
    const next = v128.load(p);
    const upper = f64x2.promote_low_f32x4(v128.shuffle<i64>(next, next, 1, 0));
    // The first number is taken as it is: 0 + -0 would lose the sign.
    low = m === 0 ? f64x2.promote_low_f32x4(next) : f64x2.add(low, f64x2.promote_low_f32x4(next));
    high = m === 0 ? upper : f64x2.add(high, upper);
    p += stride;
  }
  const rounded = f32x4.demote_f64x2_zero(low);
  return v128.shuffle<i64>(rounded, f32x4.demote_f64x2_zero(high), 0, 2);
}

/**
 * Adds two members. One addition of float32 rounds as one of float64 that is then rounded: float64
 * has more than twice as many digits, plus two.
 */
function addTwo<T>(out: usize, one: usize, other: usize, bytes: usize): void {
  const end = out + bytes;
  // A line of the cache at a time: each turn of a loop costs V8 as much as two vectors.
  const lines = end - (bytes & 63);
  for (; out < lines; out += 64) {
    v128.store(out, v128.add<T>(v128.load(one), v128.load(other)));
    v128.store(out, v128.add<T>(v128.load(one, 16), v128.load(other, 16)), 16);
    v128.store(out, v128.add<T>(v128.load(one, 32), v128.load(other, 32)), 32);
    v128.store(out, v128.add<T>(v128.load(one, 48), v128.load(other, 48)), 48);
    one += 64;
    other += 64;
  }
  for (; out < end; out += 16) {
    v128.store(out, v128.add<T>(v128.load(one), v128.load(other)));
    one += 16;
    other += 16;
  }
}

function reduce<T>(
  out: usize,
  first: usize,
  stride: usize,
  members: usize,
  bytes: usize,
  op: Op,
): void {
  if (members === 2 && op === SUM) {
    addTwo<T>(out, first, first + stride, bytes);
    return;
  }
  const end = out + bytes;
  for (; out < end; out += 16) {
    const sums = isFloat<T>() && sizeof<T>() === 4 && op === SUM;
    v128.store(
      out,
      sums ? sumOfFloats(first, stride, members) : combine<T>(first, stride, members, op),
    );
    first += 16;
  }
}

export function reduceFloat64(
  out: usize,
  first: usize,
  stride: usize,
  members: usize,
  bytes: usize,
  op: Op,
): void {
  reduce<f64>(out, first, stride, members, bytes, op);
}

export function reduceFloat32(
  out: usize,
  first: usize,
  stride: usize,
  members: usize,
  bytes: usize,
  op: Op,
): void {
  reduce<f32>(out, first, stride, members, bytes, op);
}

export function reduceInt32(
  out: usize,
  first: usize,
  stride: usize,
  members: usize,
  bytes: usize,
  op: Op,
): void {
  reduce<i32>(out, first, stride, members, bytes, op);
}
