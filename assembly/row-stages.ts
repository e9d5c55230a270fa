/** Stages `moments` and `gradient-sums` by rows. */

import { Call } from './call';
import { put, putExactMoments, putGradientSums, putTwoGradientSums, sound } from './channel';
import { Off, On, SIZE, storedBytes, wideTwo } from './lanes';
import { putShifts } from './row-shifts';
import { SHIFT, sumRun, TOTALS } from './row-sums';
import { channelsOfRun, spread } from './rows';
import { scratch } from './scratch';

/** Bound of `sound`: chains of 16 turns are off by 3e-7 at worst. */
const MOST: f64 = 2.25;

/**
 * Writes the moments of a run of channels from their totals. If sums lost digits, returns false, or
 * in the `last` try replaces them by float64 sums.
 */
function putRun(call: Call, arrays: usize, first: usize, channels: usize, last: bool): bool {
  const bytes = call.values * SIZE;
  const count = <f64>call.rows * <f64>call.values;
  const share = 1 / count;
  let good = true;
  for (let c: usize = 0, total = arrays + TOTALS; c < channels; c++, total += 8) {
    const sum = load<f64>(total);
    const squares = load<f64>(total + 8 * channels);
    const shift = load<T>(arrays + c * bytes, SHIFT);
    if (sound(count, sum, squares, shift, MOST)) {
      const delta = sum * share;
      put(call, first + c, <f64>shift + delta, squares - sum * delta);
    } else if (last) {
      putExactMoments(call, first + c, call.x + (first + c) * storedBytes(bytes));
    } else {
      good = false;
    }
  }
  return good;
}

/** Writes mean and M2 of each channel. */
export function rowMoments(call: Call): void {
  const repeat = call.values;
  const run = channelsOfRun(call.channels, repeat);
  const arrays = scratch(TOTALS + 16 * run);
  const share = 1 / (<f64>call.rows * <f64>repeat);
  for (let first: usize = 0; first < call.channels; first += run) {
    const channels = min(run, call.channels - first);
    putShifts<Off>(call, arrays + SHIFT, first, channels);
    sumRun<Off>(call, arrays, first, channels);
    if (putRun(call, arrays, first, channels, false)) continue;
    // The sampled values misled: once more, from the resulting means.
    for (let c: usize = 0; c < channels; c++) {
      const shift = <f64>load<T>(arrays + c * repeat * SIZE, SHIFT);
      const delta = load<f64>(arrays + c * 8, TOTALS) * share;
      spread(arrays + SHIFT, c, repeat, <T>(shift + delta));
    }
    sumRun<Off>(call, arrays, first, channels);
    putRun(call, arrays, first, channels, true);
  }
}

/** Writes sum(dy) and sum(dy * xhat) of each channel. */
export function rowGradientSums(call: Call): void {
  const bytes = call.values * SIZE;
  const run = channelsOfRun(call.channels, call.values);
  const arrays = scratch(TOTALS + 16 * run);
  for (let first: usize = 0; first < call.channels; first += run) {
    const channels = min(run, call.channels - first);
    putShifts<On>(call, arrays + SHIFT, first, channels);
    sumRun<On>(call, arrays, first, channels);
    for (let c: usize = 0, total = arrays + TOTALS; c < channels; c++, total += 8) {
      const products = total + 8 * channels;
      const shift = arrays + c * bytes;
      if (c + 1 < channels) {
        const shifts = wideTwo(shift + SHIFT, shift + bytes + SHIFT);
        if (putTwoGradientSums(call, first + c, shifts, v128.load(total), v128.load(products))) {
          c++;
          total += 8;
          continue;
        }
      }
      putGradientSums(
        call,
        first + c,
        (first + c) * storedBytes(bytes),
        load<T>(shift, SHIFT),
        load<f64>(total),
        load<f64>(products),
      );
    }
  }
}
