/** Reading of IDX folders: what is read, and what each broken folder is told. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DataError, PIXELS } from '../../examples/digits/dataset.js';
import { readIdxDirectory } from '../../examples/digits/idx.js';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'digits-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** The bytes of an IDX file of unsigned bytes. */
function idx(sizes: readonly number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 * (1 + sizes.length));
  header.writeUInt32BE(0x0800 + sizes.length, 0);
  for (const [axis, size] of sizes.entries()) header.writeUInt32BE(size, 4 * (1 + axis));
  return Buffer.concat([header, data]);
}

/** Labels 0, 1, ..., 9, 0, ... plus `first`. */
function labelsOf(count: number, first = 0): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => (i + first) % 10);
}

function pixelsOf(count: number): Uint8Array {
  return Uint8Array.from({ length: count * PIXELS }, (_, i) => (7 * i + (i >> 8)) % 256);
}

function images(count: number): Buffer {
  return idx([count, 28, 28], pixelsOf(count));
}

function labels(count: number, first = 0): Buffer {
  return idx([count], labelsOf(count, first));
}

function put(files: Record<string, Buffer>): void {
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(dir, name), bytes);
}

/** A whole pair of `count` digits, but for the files given. */
function putPair(count: number, others: Record<string, Buffer> = {}): void {
  put({
    't10k-images-idx3-ubyte': images(count),
    't10k-labels-idx1-ubyte': labels(count),
    ...others,
  });
}

function read(): ReturnType<typeof readIdxDirectory> {
  return readIdxDirectory(dir);
}

/** The message of the DataError that reading `folder` throws. */
function complaint(folder = dir): string {
  try {
    readIdxDirectory(folder);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message;
  }
  throw new Error('the folder was read without complaint');
}

describe('readIdxDirectory', () => {
  it('reads back what was written, split nine to one, for any digits', () => {
    const digits = fc.integer({ min: 2, max: 30 }).chain((count) =>
      fc.record({
        pixels: fc.uint8Array({ minLength: count * PIXELS, maxLength: count * PIXELS }),
        labels: fc.uint8Array({ minLength: count, maxLength: count, max: 9 }),
        gzipped: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(digits, ({ pixels, labels, gzipped }) => {
        const count = labels.length;
        const pack = (bytes: Buffer) => (gzipped ? gzipSync(bytes) : bytes);
        put({
          'train-images-idx3-ubyte': pack(idx([count, 28, 28], pixels)),
          'train-labels-idx1-ubyte': pack(idx([count], labels)),
        });
        const { train, test } = read();
        expect(train.count).toBe(Math.floor(0.9 * count));
        expect(train.count + test.count).toBe(count);
        expect(Buffer.concat([train.images, test.images]).equals(pixels)).toBe(true);
        expect([...train.labels, ...test.labels]).toEqual([...labels]);
      }),
      { numRuns: 25 },
    );
  });

  it('trains on train-* and tests on t10k-* when both are there', () => {
    putPair(3);
    put({ 'train-images-idx3-ubyte': images(5), 'train-labels-idx1-ubyte': labels(5, 4) });
    const { train, test } = read();
    expect([...train.labels]).toEqual([4, 5, 6, 7, 8]);
    expect([...test.labels]).toEqual([0, 1, 2]);
    expect([train.count, test.count]).toEqual([5, 3]);
    expect(train.images).toEqual(pixelsOf(5));
  });

  it.each([
    ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz'],
    ['train-images.idx3-ubyte', 'train-labels.idx1-ubyte'],
    ['t10k-images.idx3-ubyte.gz', 't10k-labels.idx1-ubyte.gz'],
    ['t10k-images-idx3-ubyte', 't10k-labels.idx1-ubyte.gz'],
  ])('finds %s with %s', (imageName, labelName) => {
    const pack = (name: string, bytes: Buffer) => (name.endsWith('gz') ? gzipSync(bytes) : bytes);
    put({ [imageName]: pack(imageName, images(10)), [labelName]: pack(labelName, labels(10)) });
    expect(read().train.images).toEqual(pixelsOf(9));
    expect([...read().test.labels]).toEqual([9]);
  });

  it('knows gzip by its content, not by the name', () => {
    put({
      't10k-images-idx3-ubyte': gzipSync(images(10)),
      't10k-labels-idx1-ubyte.gz': labels(10),
    });
    expect([...read().train.labels]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('names a folder that is not there, or is a file', () => {
    expect(complaint(join(dir, 'nowhere'))).toMatch(/there is no folder .*nowhere$/);
    put({ file: Buffer.alloc(1) });
    expect(complaint(join(dir, 'file'))).toMatch(/file is not a folder$/);
  });

  it('says what it looked for in a folder without digits', () => {
    put({ 'holiday.jpg': Buffer.alloc(9) });
    mkdirSync(join(dir, 'train-images-idx3-ubyte'));
    const message = complaint();
    expect(message).toContain(`no digits in ${dir}`);
    for (const set of ['train', 't10k']) {
      for (const name of ['images-idx3', 'images.idx3', 'labels-idx1', 'labels.idx1']) {
        expect(message).toContain(`${set}-${name}-ubyte, ${set}-${name}-ubyte.gz`);
      }
    }
  });

  it('misses the other file of a pair, even when another pair is whole', () => {
    putPair(10, { 'train-images-idx3-ubyte': images(2) });
    expect(complaint()).toMatch(
      /holds train-images-idx3-ubyte but no labels .* train-labels-idx1-ubyte/,
    );
    rmSync(join(dir, 't10k-images-idx3-ubyte'));
    rmSync(join(dir, 'train-images-idx3-ubyte'));
    expect(complaint()).toMatch(/holds t10k-labels-idx1-ubyte but no images .* t10k-images-idx3/);
  });

  it('counts the bytes of a truncated file, wherever it ends', () => {
    const whole = images(2);
    const cuts = fc.integer({ min: 0, max: whole.length - 1 });
    fc.assert(
      fc.property(cuts, (length) => {
        putPair(2, { 't10k-images-idx3-ubyte': whole.subarray(0, length) });
        const expected = length < 4 ? 4 : length < 16 ? 16 : whole.length;
        expect(complaint()).toMatch(
          new RegExp(
            `t10k-images-idx3-ubyte is truncated: expected ${expected} bytes .*, found ${length}$`,
          ),
        );
      }),
      { numRuns: 40, examples: [[0], [3], [4], [15], [16], [whole.length - 1]] },
    );
  });

  it('counts the bytes of a file that goes on after its end', () => {
    putPair(2, { 't10k-labels-idx1-ubyte': Buffer.concat([labels(2), Buffer.alloc(3)]) });
    expect(complaint()).toMatch(/labels.* goes on after its end: expected 10 bytes, found 13$/);
  });

  it('shows the magic number of a foreign file', () => {
    putPair(2, { 't10k-images-idx3-ubyte': Buffer.from('\x89PNG and so on') });
    expect(complaint()).toMatch(/not an IDX file of images: .* 0x00000803, found 0x/);
    putPair(2, { 't10k-labels-idx1-ubyte': images(2) });
    expect(complaint()).toMatch(/IDX file of labels: .* must be 0x00000801, found 0x00000803$/);
  });

  it('tells a damaged gzip file from a truncated one, and both from IDX', () => {
    const whole = gzipSync(images(2));
    putPair(2, { 't10k-images-idx3-ubyte': whole.subarray(0, whole.length - 20) });
    expect(complaint()).toMatch(/gzip file \(unexpected end of file, \d+ bytes\)$/);
    const damaged = Buffer.from(whole);
    damaged[whole.length - 6] ^= 0xff;
    putPair(2, { 't10k-images-idx3-ubyte': damaged });
    expect(complaint()).toMatch(/damaged or truncated gzip file \(incorrect data check/);
  });

  it('counts images and labels that do not match', () => {
    putPair(4, { 't10k-labels-idx1-ubyte': labels(5) });
    expect(complaint()).toMatch(/one label, .* has 4 images and .* 5 labels$/);
  });

  it('gives the size of images that are not 28 x 28', () => {
    putPair(2, { 't10k-images-idx3-ubyte': idx([2, 32, 24], new Uint8Array(2 * 32 * 24)) });
    expect(complaint()).toMatch(/must be 28 x 28 pixels, .* has 32 x 24$/);
  });

  it('gives the place and the value of a label above 9', () => {
    putPair(3, { 't10k-labels-idx1-ubyte': idx([3], Uint8Array.of(9, 10, 255)) });
    expect(complaint()).toMatch(/must be 0 to 9, label 1 of .* is 10$/);
  });

  it.each([0, 1])('cannot split %i digits', (count) => {
    putPair(count);
    expect(complaint()).toMatch(new RegExp(`at least 2 digits .*, found ${count}$`));
  });
});
