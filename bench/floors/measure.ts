/** The least costs of forward and backward on this processor, in C: layers are held against them. */

import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { SHAPE_NAMES, type ShapeName, shapeNamed } from '../shapes.js';
import { makeFolder } from '../turns/folders.js';

/** Least microseconds of one shape, of float32. */
export interface Floor {
  /** Processes that compute at once. */
  readonly ranks: number;
  readonly shape: ShapeName;
  /** Bytes of a vector. */
  readonly width: number;
  readonly copy: number;
  readonly triad: number;
  /** In two passes. */
  readonly forward: number;
  readonly backward: number;
  /** In one pass that works on a block while it sums the next one. */
  readonly forwardFused: number;
  readonly backwardFused: number;
  /** In two passes over rows of the shape's channels, as channels-last arrays have them. */
  readonly forwardRows: number;
  readonly backwardRows: number;
}

/** WebAssembly's vectors, and twice as wide ones. */
const WIDTHS = [16, 32];
const COMPILERS = ['gcc', 'clang', 'cc'];
/** No fused multiplications, which WebAssembly does not have either without relaxed SIMD. */
const OPTIONS = ['-O3', '-march=native', '-ffp-contract=off'];

/**
 * Times of the slowest of `ranks` processes that compute at once, since cores may share what they
 * compute with. Null where there is no C compiler.
 */
export async function measureFloors(
  ranks: number,
  shapes: readonly ShapeName[],
): Promise<Floor[] | null> {
  const compiler = await findCompiler();
  if (compiler === null) return null;
  const known = SHAPE_NAMES.filter((shape) => shapes.includes(shape));
  const sizes = known.map((shape) => {
    const sizes = shapeNamed(shape, false);
    return `${sizes[1]}:${4 * sizes.reduce((a, b) => a * b)}`;
  });
  const folder = makeFolder();
  const floors: Floor[] = [];
  for (const width of WIDTHS) {
    const program = join(folder, `floors-${width}`);
    const source = resolve('bench/floors/floors.c');
    await run(compiler, [...OPTIONS, `-DWIDTH=${width}`, source, '-o', program]);
    const outputs = await Promise.all(Array.from({ length: ranks }, () => run(program, sizes)));
    const tables = outputs.map((text) => text.trim().split('\n'));
    known.forEach((shape, i) => {
      const [first, ...others] = tables.map((lines) => lines[i].split(' ').map(Number));
      const times = first.map((time, k) => Math.max(time, ...others.map((each) => each[k])));
      const [copy, triad, forward, backward, ...rest] = times;
      const [forwardFused, backwardFused, forwardRows, backwardRows] = rest;
      const passes = { forward, backward, forwardFused, backwardFused, forwardRows, backwardRows };
      floors.push({ ranks, shape, width, copy, triad, ...passes });
    });
  }
  return floors;
}

async function findCompiler(): Promise<string | null> {
  for (const compiler of COMPILERS) {
    try {
      await run(compiler, ['--version']);
      return compiler;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return null;
}

async function run(command: string, words: readonly string[]): Promise<string> {
  return (await promisify(execFile)(command, words)).stdout;
}
