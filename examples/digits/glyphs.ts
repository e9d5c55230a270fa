/**
 * How people write the digits: for each, a few ways, as pen strokes through points.
 *
 * A point is `x,y` in hundredths of the digit's height, y downwards; digits are about 70 wide. The
 * pen goes through the points in a smooth curve; `*` marks a corner, `|` lifts the pen.
 */

/** A point that the pen passes; lengths in heights of the digit. */
export interface PenPoint {
  readonly x: number;
  readonly y: number;
  readonly corner: boolean;
}

/** One line of the pen, from where it lands to where it lifts. */
export type Stroke = readonly PenPoint[];

/** Middle of the box that the digits are written in. */
export const CENTRE = { x: 0.35, y: 0.5 } as const;

const WAYS: readonly (readonly string[])[] = [
  [
    '38,4 14,16 6,50 16,86 36,97 58,84 66,50 58,16 36,4',
    '50,8 24,8 6,42 10,82 34,98 60,80 68,38 52,12 30,7',
  ],
  ['35,3 35,50 35,97', '16,24 38,4* 38,50 38,97', '18,22 36,5* 36,96 | 14,97 36,96 58,97'],
  [
    '9,26 20,8 40,3 58,14 57,34 40,60 8,96* 36,95 66,94',
    '10,22 28,4 54,10 56,34 34,70 12,92 7,82 22,77 44,92 68,88',
  ],
  [
    '12,12 34,3 56,14 54,34 28,46* 56,54 64,76 44,96 20,95 6,84',
    '10,6 36,6 60,5* 28,42* 56,52 62,76 42,96 18,94 6,82',
  ],
  [
    '14,6 8,54* 36,53 66,51 | 50,8 48,50 46,97',
    '46,4 6,66* 36,65 68,64 | 46,4* 46,50 46,97',
    '12,6 8,34 24,50 52,42 | 56,5 52,50 48,97',
  ],
  [
    '58,5 16,6* 12,44* 36,38 60,52 62,76 42,96 18,95 6,84',
    '16,8 12,44* 38,38 60,54 60,80 36,97 8,88 | 16,8* 40,7 64,4',
  ],
  [
    '54,4 28,22 10,54 12,84 34,97 58,86 60,64 40,52 18,64 11,80',
    '44,3 20,36 8,74 26,97 54,92 58,70 36,60 12,78',
  ],
  [
    '8,8 36,8 62,6* 42,44 26,97',
    '8,8 36,8 62,6* 42,44 28,97 | 18,52 38,51 60,49',
    '8,22 10,8* 36,8 62,6* 38,48 32,97',
  ],
  [
    '58,14 36,3 14,16 20,36 46,54 60,76 38,97 12,84 16,64 38,48 56,30 56,12',
    '35,4 15,14 17,36 35,46 53,36 55,14 33,4 | 35,46 10,60 10,86 35,97 60,86 60,60 33,46',
  ],
  [
    '58,20 38,4 14,14 10,38 30,50 52,38 58,16* 56,50 50,97',
    '58,24 38,4 12,18 12,42 36,50 56,34 60,16* 60,58 48,90 20,95',
  ],
];

/** Ways to write each digit, 0 to 9: a list of strokes each. */
export const GLYPHS: readonly (readonly (readonly Stroke[])[])[] = WAYS.map((ways) =>
  ways.map((way) => way.split(' | ').map(parseStroke)),
);

function parseStroke(text: string): Stroke {
  return text.split(' ').map((point) => {
    const [x, y] = point.replace('*', '').split(',').map(Number);
    return { x: x / 100, y: y / 100, corner: point.endsWith('*') };
  });
}
