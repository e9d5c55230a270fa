/** Digits in memory: what the files of MNIST and the project's own generator both give. */

/** Pixels along each side of an image. */
export const SIDE = 28;

/** Pixels of one image. */
export const PIXELS = SIDE * SIDE;

/** Classes, the digits 0 to 9. */
export const CLASSES = 10;

/** Labelled images, one behind the other. */
export interface Digits {
  /** count x 28 x 28, row major; 0 is paper and 255 ink. */
  readonly images: Uint8Array;
  /** The digit on each image, 0 to 9. */
  readonly labels: Uint8Array;
  readonly count: number;
}

/** Digits to learn from, and digits held back to measure what was learnt. */
export interface DigitSets {
  readonly train: Digits;
  readonly test: Digits;
}

/** Data that cannot be used; the message is for the person who named it. */
export class DataError extends Error {
  override name = 'DataError';
}

/** The digits from `start` up to, not including, `end`, as views of the same memory. */
function view(digits: Digits, start: number, end: number): Digits {
  return {
    images: digits.images.subarray(start * PIXELS, end * PIXELS),
    labels: digits.labels.subarray(start, end),
    count: end - start,
  };
}

/**
 * The first `trainCount` digits for training and the rest for the test, without a copy.
 * @param trainCount default: nine tenths, rounded down
 * @throws RangeError unless both parts hold at least one digit
 */
export function splitDigits(
  digits: Digits,
  trainCount = Math.floor((digits.count * 9) / 10),
): DigitSets {
  if (!Number.isInteger(trainCount) || trainCount < 1 || trainCount >= digits.count) {
    throw new RangeError(
      `splitDigits: both parts need at least one digit, got ${trainCount} of ${digits.count} for training`,
    );
  }
  return {
    train: view(digits, 0, trainCount),
    test: view(digits, trainCount, digits.count),
  };
}
