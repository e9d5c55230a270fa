/** What the rank programs of the MPI tests share: joining the world, and data that ranks can predict. */

import { deepStrictEqual } from 'node:assert/strict';
import { type MpiWorld, mpiWorldFromEnvironment, ProcessGroup } from 'syncbn';

export type Data = Float64Array | Float32Array | Int32Array;
export type Kind = new (length: number) => Data;

export const KINDS: readonly Kind[] = [Float64Array, Float32Array, Int32Array];

/** Joins the world of the launcher; collectives get `timeout` seconds. */
export async function join(timeout: number): Promise<MpiWorld> {
  const world = await mpiWorldFromEnvironment({ timeout });
  if (world === null) throw new Error('no MPI launcher started this program');
  return world;
}

export function groupOf(world: MpiWorld, name: string, ranks: readonly number[]): ProcessGroup {
  const transport = world.connect(name, ranks);
  return new ProcessGroup(name, ranks, ranks.indexOf(world.rank), transport, world.timeout);
}

export function everyone(world: MpiWorld): number[] {
  return Array.from({ length: world.size }, (_, rank) => rank);
}

/** Element i of a rank's data: magnitudes differ so much that the order of a sum shows. */
export function element(rank: number, i: number): number {
  return Math.sin(1000 * rank + i) * 10 ** ((i % 13) - 3 + 3 * (rank % 3));
}

export function dataOf(kind: Kind, rank: number, length: number): Data {
  return new kind(length).map((_: number, i: number) => element(rank, i)) as Data;
}

/** The sum in rank order: in float64, rounded once at the end; whole numbers wrap around. */
export function sumOf(kind: Kind, ranks: readonly number[], length: number): Data {
  const all = ranks.map((rank) => dataOf(kind, rank, length));
  const sum = new kind(length);
  for (let i = 0; i < length; i++) sum[i] = all.reduce((total, data) => total + data[i], 0);
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
