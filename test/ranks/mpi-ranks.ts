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

/** Most elements of a rank's data at first; more are made when they are asked for. */
const USUAL_LENGTH = 300_001;
const elements = new Map<string, Data>();

/** A rank's data, not to be written to: magnitudes differ so that the order of a sum shows. */
function elementsOf(kind: Kind, rank: number, length: number): Data {
  const key = `${kind.name} ${rank}`;
  let known = elements.get(key);
  if (known === undefined || known.length < length) {
    known = new kind(Math.max(length, USUAL_LENGTH));
    if (kind !== Float64Array) known.set(elementsOf(Float64Array, rank, known.length));
    else for (let i = 0; i < known.length; i++) known[i] = elementAt(rank, i);
    elements.set(key, known);
  }
  return known.subarray(0, length) as Data;
}

const elementAt = (rank: number, i: number) =>
  Math.sin(1000 * rank + i) * 10 ** ((i % 13) - 3 + 3 * (rank % 3));

export function dataOf(kind: Kind, rank: number, length: number): Data {
  return elementsOf(kind, rank, length).slice() as Data;
}

/** The combination of the ranks' data in rank order: in float64, and rounded once at the end. */
export function combined(
  kind: Kind,
  ranks: readonly number[],
  length: number,
  combine: (a: number, b: number) => number,
): Data {
  const [first, ...others] = ranks.map((rank) => elementsOf(kind, rank, length));
  const result = Float64Array.from(first);
  for (const data of others) {
    for (let i = 0; i < length; i++) result[i] = combine(result[i], data[i]);
  }
  const rounded = new kind(length);
  rounded.set(result);
  return rounded;
}

/** The sum in rank order; whole numbers wrap around. */
export function sumOf(kind: Kind, ranks: readonly number[], length: number): Data {
  return combined(kind, ranks, length, (a, b) => a + b);
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
