/** What the rank programs of the MPI tests share: joining the world, and data that ranks can predict. */

import { deepStrictEqual } from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { getGroupSize, getRank, init } from 'syncbn';

export type Data = Float64Array | Float32Array | Int32Array;
export type Kind = new (length: number) => Data;

export const KINDS: readonly Kind[] = [Float64Array, Float32Array, Int32Array];

/** This rank's place in the world. */
export interface Place {
  readonly rank: number;
  readonly size: number;
}

/** Joins the world of the launcher; collectives get `timeout` seconds. */
export async function join(timeout: number): Promise<Place> {
  await init({ timeout });
  return { rank: getRank(), size: getGroupSize() };
}

export function everyone({ size }: Place): number[] {
  return Array.from({ length: size }, (_, rank) => rank);
}

/** Memories that this process shares with other ranks, as the system sees them. */
export function sharedMemories(): number {
  const lines = readFileSync('/proc/self/maps', 'utf8').split('\n');
  const files = lines.filter((line) => line.includes('/memfd:syncbn'));
  // The engine may have cut a file's pages into several entries; the inode is the fifth column.
  return new Set(files.map((line) => line.split(/\s+/)[4])).size;
}

const elements = new Map<number, Float64Array>();

/** A rank's data: magnitudes differ so much that the order of a sum shows. */
function elementsOf(rank: number, length: number): Float64Array {
  let known = elements.get(rank);
  if (known === undefined || known.length < length) {
    const element = (_: unknown, i: number) =>
      Math.sin(1000 * rank + i) * 10 ** ((i % 13) - 3 + 3 * (rank % 3));
    known = Float64Array.from({ length }, element);
    elements.set(rank, known);
  }
  return known.subarray(0, length);
}

export function dataOf(kind: Kind, rank: number, length: number): Data {
  const data = new kind(length);
  data.set(elementsOf(rank, length));
  return data;
}

/** The sum in rank order: in float64, rounded once at the end; whole numbers wrap around. */
export function sumOf(kind: Kind, ranks: readonly number[], length: number): Data {
  const all = ranks.map((rank) => dataOf(kind, rank, length));
  const sum = new kind(length);
  for (let i = 0; i < length; i++) {
    let total = all[0][i];
    for (let r = 1; r < all.length; r++) total += all[r][i];
    sum[i] = total;
  }
  return sum;
}

/** Fails unless the two hold the same bits. */
export function same(actual: Data, expected: Data, what: string): void {
  const bytes = (data: Data) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  deepStrictEqual(actual.constructor, expected.constructor, what);
  if (Buffer.compare(bytes(actual), bytes(expected)) !== 0) {
    const i = actual.findIndex((value: number, j: number) => !Object.is(value, expected[j]));
    throw new Error(`${what}: element ${i} is ${actual[i]}, expected ${expected[i]}`);
  }
}

/** The error that `run` throws. */
export function errorOf(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error('expected an error, got none');
}
