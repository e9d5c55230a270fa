/**
 * The atoms of exact sums: sums over one (sample, channel) plane each, in the order of plane-loops.ts
 * or row-sums.ts, which depends on nothing but the plane. docs/kernels.md tells what becomes of them.
 *
 * `call.second` gets, for each of `rows` samples, the sums of all channels and then their sums of
 * products; `call.mean` has the shifts, float64 (0: no shift). With dy they are gradient sums.
 */

import { Call } from './call';
import { hasNear, Off, On, on, SIZE } from './lanes';
import { begin, planeSums, RECORD, SHIFT } from './plane-loops';
import { SHIFT as SHIFTS, sumPart, TOTALS } from './row-sums';
import { markKinds, RUN } from './rows';
import { scratch } from './scratch';

/** The shift of a channel, as T. */
export function givenShift(call: Call, channel: usize): T {
  // -0 is no shift either.
  return call.mean === 0 ? <T>0 : <T>load<f64>(call.mean + channel * 8) + <T>0;
}

function atomsOfPlanes<Gradient>(call: Call): void {
  const plane = call.values * SIZE;
  const channels = call.channels;
  const records = scratch(channels * RECORD);
  const end = records + channels * RECORD;
  for (let c: usize = 0, record = records; record < end; c++, record += RECORD) {
    begin(record, givenShift(call, c));
  }
  const total = call.total;
  let atoms = call.second;
  for (let n: usize = 0; n < call.rows; n++, atoms += 16 * total - 8 * channels) {
    let dy = on<Gradient>() ? call.dy + n * call.stride : 0;
    let x = call.x + n * call.stride;
    for (let record = records; record < end; record += RECORD, atoms += 8) {
      if (hasNear() && load<T>(record, SHIFT) === 0) {
        planeSums<Gradient, On, On>(dy, x, record, plane, atoms, 8 * total);
      } else {
        planeSums<Gradient, Off, On>(dy, x, record, plane, atoms, 8 * total);
      }
      dy += plane;
      x += plane;
    }
  }
}

/** Of channels-first planes of 16 bytes and more. */
export function planeAtoms(call: Call): void {
  if (call.dy === 0) atomsOfPlanes<Off>(call);
  else atomsOfPlanes<On>(call);
}

/** Here a plane is `values` rows, `stride` bytes apart. */
function atomsOfRows<Gradient>(call: Call): void {
  const channels = call.channels;
  const stride = call.stride;
  const planes = call.values;
  const run = min(channels, RUN / SIZE);
  const arrays = scratch(TOTALS + 16 * run);
  for (let first: usize = 0; first < channels; first += run) {
    const k = min(run, channels - first);
    for (let c: usize = 0; c < k; c++) {
      store<T>(arrays + c * SIZE, givenShift(call, first + c), SHIFTS);
    }
    markKinds(arrays, arrays + SHIFTS, k * SIZE);
    let at = first * SIZE;
    let atoms = call.second + first * 8;
    for (let n: usize = 0; n < call.rows; n++, at += planes * stride, atoms += 16 * call.total) {
      memory.fill(arrays + TOTALS, 0, 16 * k);
      const dy = on<Gradient>() ? call.dy + at : 0;
      sumPart<Gradient>(arrays, dy, call.x + at, k, planes, planes >> 2, stride, 1, 1, false);
      memory.copy(atoms, arrays + TOTALS, 8 * k);
      memory.copy(atoms + 8 * call.total, arrays + TOTALS + 8 * k, 8 * k);
    }
  }
}

/** Of channels-last samples of `values` rows. */
export function rowAtoms(call: Call): void {
  if (call.dy === 0) atomsOfRows<Off>(call);
  else atomsOfRows<On>(call);
}
