/** The planes of an array, one (sample, channel) after the other. */

import type { Layout } from '../core/layout.js';

/**
 * Visits the planes of one channel: from `start` to before `end`, `stride` apart, by sample.
 * `place` is the place of the first value in a mask.
 */
export function forEachPlane(
  { samples, channels, plane, channelsLast }: Layout,
  channel: number,
  visit: (start: number, end: number, stride: number, place: number) => void,
): void {
  const stride = channelsLast ? channels : 1;
  const first = channelsLast ? channel : channel * plane;
  for (let sample = 0; sample < samples; sample++) {
    const start = sample * channels * plane + first;
    visit(start, start + plane * stride, stride, sample * plane);
  }
}
