/**
 * Digits as a hand might write them, for machines without MNIST: a way of writing each digit, bent
 * by a smooth wobble, slanted, turned, stretched and shifted, drawn with a pen of some width.
 *
 * The same seed gives the same bytes everywhere: only operations that IEEE 754 rounds exactly are
 * used (+ - * / and square roots; Math.sin and the like may differ between engines).
 */

import { CLASSES, type Digits, PIXELS, SIDE } from './dataset.js';
import { CENTRE, GLYPHS, type PenPoint, type Stroke } from './glyphs.js';
import { type Random, seededRandom } from './random.js';

/** Straight pieces that a curve between two points is drawn with. */
const PIECES = 5;

/** Cells along each side of the wobble's grid. */
const CELLS = 3;

/** How far the wobble moves a point at most, in heights of the digit. */
const WOBBLE = 0.2;

/** A place on the paper, in pixels. */
type Point = readonly [x: number, y: number];

/** Where a point of the glyph comes to lie on the paper. */
type Hand = (point: PenPoint) => Point;

/**
 * Draws `count` digits. A longer drawing with the same seed begins with the shorter one.
 * @param seed an integer; its lowest 32 bits count
 * @throws RangeError unless `count` is a whole number and `seed` an integer
 */
export function drawDigits(count: number, seed: number): Digits {
  if (!Number.isSafeInteger(count) || count < 0) {
    throw new RangeError(`drawDigits: count must be a whole number, got ${count}`);
  }
  if (!Number.isSafeInteger(seed)) {
    throw new RangeError(`drawDigits: seed must be an integer, got ${seed}`);
  }
  const random = seededRandom(seed);
  const images = new Uint8Array(count * PIXELS);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    labels[i] = choose(CLASSES, random);
    drawDigit(images.subarray(i * PIXELS, (i + 1) * PIXELS), labels[i], random);
  }
  return { images, labels, count };
}

function drawDigit(image: Uint8Array, label: number, random: Random): void {
  const ways = GLYPHS[label];
  const strokes = ways[choose(ways.length, random)];
  const hand = randomHand(random);
  const distances = new Float64Array(PIXELS).fill(Number.POSITIVE_INFINITY);
  const radius = between(0.6, 1.6, random);
  for (const stroke of strokes) mark(distances, flatten(stroke, hand), radius + 1);
  ink(image, distances, radius, random);
}

/** A whole number from 0 up to, not including, `count`. */
function choose(count: number, random: Random): number {
  return Math.floor(random() * count);
}

function between(low: number, high: number, random: Random): number {
  return low + (high - low) * random();
}

/** A number in (-1, 1), most often near 0: the mean of three uniform ones. */
function around(random: Random): number {
  return ((random() + random() + random()) * 2) / 3 - 1;
}

/** A random wobble, followed by a random affine map from the glyph to the paper. */
function randomHand(random: Random): Hand {
  const wobble = randomWobble(random);
  const height = between(14, 21, random);
  const width = height * between(0.7, 1.3, random);
  const slant = 0.15 + 0.5 * around(random);
  // A turn by 2 atan(t), without sine and cosine: +-0.25 is +-28 degrees.
  const t = 0.25 * around(random);
  const cos = (1 - t * t) / (1 + t * t);
  const sin = (2 * t) / (1 + t * t);
  const left = (SIDE - 1) / 2 + 4 * around(random);
  const top = (SIDE - 1) / 2 + 4 * around(random);
  return (point) => {
    const [dx, dy] = wobble(point);
    const y = (point.y + dy - CENTRE.y) * height;
    const x = (point.x + dx - CENTRE.x) * width - slant * y;
    return [left + cos * x - sin * y, top + sin * x + cos * y];
  };
}

/** A smooth displacement: random at the nodes of a grid over the glyph, bilinear between them. */
function randomWobble(random: Random): Hand {
  const nodes = (CELLS + 1) ** 2;
  const shifts = Array.from({ length: 2 * nodes }, () => WOBBLE * around(random));
  return (point) => {
    const [column, u] = cell(point.x / (2 * CENTRE.x));
    const [row, v] = cell(point.y / (2 * CENTRE.y));
    const shift = (first: number) => {
      const a = first + row * (CELLS + 1) + column;
      const b = a + CELLS + 1;
      const upper = shifts[a] + (shifts[a + 1] - shifts[a]) * u;
      return upper + (shifts[b] + (shifts[b + 1] - shifts[b]) * u - upper) * v;
    };
    return [shift(0), shift(nodes)];
  };
}

/** The cell of the grid that holds `place` (0 to 1 over the grid), and where in it. */
function cell(place: number): [index: number, within: number] {
  const index = Math.min(CELLS - 1, Math.max(0, Math.floor(place * CELLS)));
  return [index, place * CELLS - index];
}

/** The points of a stroke's polyline on the paper. */
function flatten(stroke: Stroke, hand: Hand): Point[] {
  const points = stroke.map(hand);
  const line: Point[] = [points[0]];
  for (let i = 0; i + 1 < points.length; i++) {
    // A stroke has no direction of its own at its ends and corners: the neighbour is the point.
    const before = i === 0 || stroke[i].corner ? i : i - 1;
    const after = i + 2 === points.length || stroke[i + 1].corner ? i + 1 : i + 2;
    for (let piece = 1; piece <= PIECES; piece++) {
      line.push(curve(points[before], points[i], points[i + 1], points[after], piece / PIECES));
    }
  }
  return line;
}

/** The uniform Catmull-Rom spline from `b` (t = 0) to `c` (t = 1), `a` before and `d` after. */
function curve(a: Point, b: Point, c: Point, d: Point, t: number): Point {
  const at = (axis: 0 | 1) => {
    const slope = c[axis] - a[axis];
    const bend = 2 * a[axis] - 5 * b[axis] + 4 * c[axis] - d[axis];
    const twist = 3 * (b[axis] - c[axis]) + d[axis] - a[axis];
    return b[axis] + (t * (slope + t * (bend + t * twist))) / 2;
  };
  return [at(0), at(1)];
}

/** Lowers each pixel's squared distance to the polyline, within `reach` pixels of it. */
function mark(distances: Float64Array, line: readonly Point[], reach: number): void {
  for (let i = 0; i + 1 < line.length; i++) {
    const from = line[i];
    const to = line[i + 1];
    const [left, right] = range(from[0], to[0], reach);
    const [top, bottom] = range(from[1], to[1], reach);
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const pixel = y * SIDE + x;
        const distance = squaredDistance(x, y, from, to);
        if (distance < distances[pixel]) distances[pixel] = distance;
      }
    }
  }
}

/** Pixels of the image within `reach` of the interval from `a` to `b`, both ends included. */
function range(a: number, b: number, reach: number): [first: number, last: number] {
  const first = Math.ceil(Math.min(a, b) - reach);
  const last = Math.floor(Math.max(a, b) + reach);
  return [Math.max(0, first), Math.min(SIDE - 1, last)];
}

function squaredDistance(x: number, y: number, from: Point, to: Point): number {
  const dx = to[0] - from[0];
  const dy = to[1] - from[1];
  const px = x - from[0];
  const py = y - from[1];
  const length = dx * dx + dy * dy;
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, (px * dx + py * dy) / length));
  const ex = px - t * dx;
  const ey = py - t * dy;
  return ex * ex + ey * ey;
}

/** Ink where the pen was, fading over one pixel at the edge of the stroke, and noise all over. */
function ink(image: Uint8Array, distances: Float64Array, radius: number, random: Random): void {
  const darkness = between(190, 255, random);
  const grain = between(0, 24, random);
  for (let pixel = 0; pixel < PIXELS; pixel++) {
    const covered = Math.min(1, Math.max(0, radius + 0.5 - Math.sqrt(distances[pixel])));
    const value = darkness * covered + grain * noise(random);
    image[pixel] = Math.min(255, Math.max(0, Math.round(value)));
  }
}

/** Nearly normal noise of mean 0 and variance 1: the sum of the four bytes of one draw. */
function noise(random: Random): number {
  const bits = random() * 2 ** 32;
  const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24);
  // Four bytes, each of mean 127.5 and variance (256^2 - 1) / 12.
  return (sum - 510) / 147.8;
}
