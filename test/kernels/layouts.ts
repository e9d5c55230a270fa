/** Layouts around every boundary of the kernels' loops. */

import type { ComputeDType, DType } from '../../src/core/dtype.js';
import type { Layout } from '../../src/core/layout.js';
import type { ChannelRange } from '../../src/kernels/kernels.js';

/** Sizes of planes around every unroll boundary, and those of real layers. */
const PLANES = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 33, 49, 63, 64, 65, 127, 196, 257, 1040, 3136];
const CHANNELS = [1, 3, 8, 33, 64, 2048];
const SAMPLES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 63, 65, 130];

/** Parts of 23 channels, an empty one among them. */
export const PARTS: readonly ChannelRange[] = [
  { from: 0, to: 1 },
  { from: 1, to: 9 },
  { from: 9, to: 9 },
  { from: 9, to: 22 },
  { from: 22, to: 23 },
];

/** Layouts of 23 channels for each kind of loop. */
export function layoutsInParts(channelsLast: boolean, dtype: DType): Layout[] {
  const sizes = [
    [2, 65],
    [9, 49],
    [9, 1],
    [3, 3],
  ];
  return sizes.map(([samples, plane]) => ({ samples, channels: 23, plane, channelsLast, dtype }));
}

export function layoutsOf(channelsLast: boolean, dtype: ComputeDType): Layout[] {
  const layouts: Layout[] = [];
  const add = (samples: number, channels: number, plane: number) => {
    if (samples * channels * plane <= 600_000) {
      layouts.push({ samples, channels, plane, channelsLast, dtype });
    }
  };
  for (const plane of PLANES) for (const samples of [2, 9]) add(samples, 3, plane);
  for (const channels of CHANNELS) for (const plane of [1, 3, 49, 196]) add(2, channels, plane);
  for (const samples of SAMPLES) for (const plane of [1, 4, 49, 64]) add(samples, 8, plane);
  // Rows around the fours of the row kernels and their chains; short rows that are taken as one;
  // quarters with whole pages between them, which are made a row shorter.
  for (const rows of [1, 2, 3, 4, 5, 7, 31, 33, 63, 64, 65, 67, 130, 257]) {
    for (const channels of [2, 5, 16, 63, 64, 130]) add(1, channels, rows);
  }
  for (const [channels, rows] of [
    [1, 5000],
    [3, 3001],
    [5, 1000],
    [8, 4096],
    [16, 2050],
    [64, 321],
    [128, 1033],
    [1024, 133],
    [1024, 260],
    [1100, 9],
  ]) {
    add(1, channels, rows);
    add(rows, channels, 1);
  }
  add(16, 33, 49);
  add(70, 33, 7);
  add(3, 2, 40_000);
  add(0, 3, 5);
  add(3, 3, 0);
  return layouts;
}
