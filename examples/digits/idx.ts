/**
 * Reads MNIST in its own format, IDX: a magic number (two zero bytes, the element type, the number
 * of axes), the size of each axis, then the elements, row major. Integers are 32 bits, big-endian.
 *
 * Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", "File formats".
 */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CLASSES, DataError, type DigitSets, type Digits, SIDE, splitDigits } from './dataset.js';

/** Magic numbers: unsigned bytes (0x08) in three axes and in one. */
const MAGIC = { images: 0x0803, labels: 0x0801 } as const;

type Part = keyof typeof MAGIC;

/** Sets by the names that MNIST gives them: its 60,000 training and 10,000 test images. */
const SETS = ['train', 't10k'] as const;

/** The axes and the elements of one file. */
interface Idx {
  readonly path: string;
  readonly sizes: readonly number[];
  readonly data: Uint8Array;
}

/**
 * Reads the digits in folder `dir`, gzipped or not, in either spelling of the names.
 *
 * With both pairs there, `train-*` is for training and `t10k-*` for the test. One pair alone is
 * split: its first nine tenths for training, the rest for the test.
 * @throws DataError naming the file and the rule it breaks
 */
export function readIdxDirectory(dir: string): DigitSets {
  checkFolder(dir);
  const [train, test] = SETS.map((set) => readPair(dir, set));
  if (train && test) return { train, test };
  const only = train ?? test;
  if (!only) throw new DataError(`readIdxDirectory: no digits in ${dir}; ${lookedFor(SETS)}`);
  if (only.count < 2) {
    throw new DataError(
      `readIdxDirectory: ${dir} must hold at least 2 digits to split into training and test, found ${only.count}`,
    );
  }
  return splitDigits(only);
}

function checkFolder(dir: string): void {
  const found = statSync(dir, { throwIfNoEntry: false });
  if (!found) throw new DataError(`readIdxDirectory: there is no folder ${dir}`);
  if (!found.isDirectory()) throw new DataError(`readIdxDirectory: ${dir} is not a folder`);
}

/** The images and labels of one set; undefined when neither file is there. */
function readPair(dir: string, set: string): Digits | undefined {
  const images = findFile(dir, set, 'images');
  const labels = findFile(dir, set, 'labels');
  if (!images && !labels) return undefined;
  if (!images || !labels) {
    throw new DataError(
      `readIdxDirectory: ${dir} holds ${images ?? labels} but no ${images ? 'labels' : 'images'} to go with it; ${lookedFor([set])}`,
    );
  }
  return pair(readIdx(join(dir, images), 'images'), readIdx(join(dir, labels), 'labels'));
}

function findFile(dir: string, set: string, part: Part): string | undefined {
  return fileNames(set, part).find((name) =>
    statSync(join(dir, name), { throwIfNoEntry: false })?.isFile(),
  );
}

/** Names that the file may have, the one that MNIST's own page uses first. */
function fileNames(set: string, part: Part): string[] {
  const axes = part === 'images' ? 3 : 1;
  const names = [`${set}-${part}-idx${axes}-ubyte`, `${set}-${part}.idx${axes}-ubyte`];
  return names.flatMap((name) => [name, `${name}.gz`]);
}

function lookedFor(sets: readonly string[]): string {
  const names = sets.flatMap((set) => [...fileNames(set, 'images'), ...fileNames(set, 'labels')]);
  return `looked for ${names.join(', ')}`;
}

function pair(images: Idx, labels: Idx): Digits {
  const [count, height, width] = images.sizes;
  if (height !== SIDE || width !== SIDE) {
    throw new DataError(
      `readIdxDirectory: images must be ${SIDE} x ${SIDE} pixels, ${images.path} has ${height} x ${width}`,
    );
  }
  if (labels.sizes[0] !== count) {
    throw new DataError(
      `readIdxDirectory: each image needs one label, ${images.path} has ${count} images and ${labels.path} ${labels.sizes[0]} labels`,
    );
  }
  const wrong = labels.data.findIndex((label) => label >= CLASSES);
  if (wrong >= 0) {
    throw new DataError(
      `readIdxDirectory: labels must be 0 to ${CLASSES - 1}, label ${wrong} of ${labels.path} is ${labels.data[wrong]}`,
    );
  }
  return { images: images.data, labels: labels.data, count };
}

function readIdx(path: string, part: Part): Idx {
  const bytes = unpack(readFileSync(path), path);
  const axes = part === 'images' ? 3 : 1;
  checkMagic(bytes, path, part);
  const header = 4 * (1 + axes);
  checkLength(bytes, header, path, 'the header');
  const sizes = Array.from({ length: axes }, (_, axis) => bytes.readUInt32BE(4 * (1 + axis)));
  const size = sizes.reduce((product, length) => product * length, 1);
  checkLength(bytes, header + size, path, `${sizes.join(' x ')} bytes and the header`);
  if (bytes.length > header + size) {
    throw new DataError(
      `readIdxDirectory: ${path} goes on after its end: expected ${header + size} bytes, found ${bytes.length}`,
    );
  }
  return { path, sizes, data: new Uint8Array(bytes.subarray(header)) };
}

/** Gunzips what is gzipped by its content: downloads often keep or lose `.gz` on the way. */
function unpack(bytes: Buffer, path: string): Buffer {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (cause) {
    throw new DataError(
      `readIdxDirectory: ${path} is a damaged or truncated gzip file (${(cause as Error).message}, ${bytes.length} bytes)`,
      { cause },
    );
  }
}

function checkMagic(bytes: Buffer, path: string, part: Part): void {
  checkLength(bytes, 4, path, 'the magic number');
  const magic = bytes.readUInt32BE(0);
  if (magic === MAGIC[part]) return;
  throw new DataError(
    `readIdxDirectory: ${path} is not an IDX file of ${part}: its magic number must be ${hex(MAGIC[part])}, found ${hex(magic)}`,
  );
}

function checkLength(bytes: Buffer, expected: number, path: string, what: string): void {
  if (bytes.length >= expected) return;
  throw new DataError(
    `readIdxDirectory: ${path} is truncated: expected ${expected} bytes (${what}), found ${bytes.length}`,
  );
}

function hex(magic: number): string {
  return `0x${magic.toString(16).padStart(8, '0')}`;
}
