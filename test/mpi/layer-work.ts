/** Layers and a training for every rank of a world, and what they should come to. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { expect } from 'vitest';
import { as, LAYER_KINDS, noise, partOf, wholeWorld } from '../harness/layers.js';
import { expectClose } from '../harness/numbers.js';
import { oracle } from '../harness/oracle.js';
import { sharedWorld } from '../harness/world.js';
import { workspace } from '../launch/support.js';
import type { RankResults, RankWork } from '../ranks/mpi-layers.js';
import type { LayerScript, PassResult } from '../ranks/run-layer.js';
import type { ModelScript } from '../ranks/run-parallel.js';

const CHANNELS = 5;
const TOLERANCE = { float32: 1e-6, float64: 1e-12 };
const VARIANTS = [
  { dtype: 'float32', channelsLast: false, reproducible: false },
  { dtype: 'float32', channelsLast: true, reproducible: true },
  { dtype: 'float64', channelsLast: false, reproducible: true },
] as const;
const CASES = LAYER_KINDS.flatMap((kind) => VARIANTS.map((variant) => ({ kind, ...variant })));
type Case = (typeof CASES)[number];

/** Uneven parts; where there is more than one rank, rank 1 has no sample. */
function partFor({ dtype, channelsLast }: Case, rank: number) {
  const samples = rank === 1 ? 0 : 2 + rank;
  const shape = channelsLast ? [samples, 3, 2 + rank, CHANNELS] : [samples, CHANNELS, 3, 2 + rank];
  return { x: as(dtype, noise(shape, rank, 50)), dy: as(dtype, noise(shape, -rank)) };
}

function layerFor(c: Case, rank: number, size: number): LayerScript {
  const { kind, dtype, channelsLast, reproducible } = c;
  return {
    kind,
    numFeatures: CHANNELS,
    options: {
      ...{ channelsLast, reproducible, name: `${kind} ${dtype}` },
      ...(kind === 'SyncBatchNorm' && { dtype }),
      ...wholeWorld(kind, size),
    },
    passes: [{ ...partFor(c, rank), train: true }, { ...partFor(c, rank) }],
  };
}

function modelFor(rank: number): ModelScript {
  const [inputs, features, rows] = [3, 4, 5 + rank];
  const wave = (i: number) => Math.sin(12.9898 * (i + 1) + 7 * rank);
  const table = (columns: number, from: number) =>
    Array.from({ length: rows }, (_, r) =>
      Array.from({ length: columns }, (_, c) => wave(from + r * columns + c)),
    );
  const weights = Array.from({ length: inputs * features }, (_, i) => Math.cos(i));
  return {
    ...{ inputs, features, weights },
    ...{ x: table(inputs, 0), targets: table(features, 100), steps: 20, learningRate: 0.1 },
  };
}

function casesFor(size: number): readonly Case[] {
  // A group of GlobalBatchNorm has two ranks or more, and float32 alone.
  return CASES.filter(
    ({ kind, dtype }) => kind === 'SyncBatchNorm' || (size > 1 && dtype === 'float32'),
  );
}

/** @returns path of the work of all ranks, for test/ranks/mpi-layers.ts */
export function writeWork(size: number): string {
  const work: RankWork[] = Array.from({ length: size }, (_, rank) => ({
    layers: casesFor(size).map((c) => layerFor(c, rank, size)),
    model: modelFor(rank),
  }));
  const path = join(workspace(), 'work');
  writeFileSync(path, serialize(work));
  return path;
}

function readResults(path: string, size: number): RankResults[] {
  return Array.from({ length: size }, (_, rank) => deserialize(readFileSync(`${path}.${rank}`)));
}

/** The ranks' results are the oracle's, and those of as many threads to the bit. */
export async function checkResults(path: string, size: number): Promise<void> {
  const results = readResults(path, size);
  casesFor(size).forEach((c, i) => {
    checkPass(
      c,
      size,
      results.map(({ layers }) => layers[i][0]),
    );
  });
  const work = deserialize(readFileSync(path)) as RankWork[];
  const world = sharedWorld(size);
  const layers = await world.results('layers', (rank) => work[rank].layers);
  expect(results.map((each) => each.layers)).toEqual(layers);
  const models = await world.results('model', (rank) => work[rank].model);
  expect(results.map((each) => each.model)).toEqual(models);
}

function checkPass(c: Case, size: number, results: readonly PassResult[]): void {
  const parts = Array.from({ length: size }, (_, rank) => {
    const { x, dy } = partFor(c, rank);
    return partOf(x, dy);
  });
  const [weight, bias] = [Array(CHANNELS).fill(1), Array(CHANNELS).fill(0)];
  const { channelsLast } = c;
  const batch = { channels: CHANNELS, channelsLast, eps: 1e-5, weight, bias };
  const expected = oracle(parts, batch).ranks;
  results.forEach((result, rank) => {
    const { y, dx, dweight, dbias } = expected[rank];
    const tolerance = TOLERANCE[c.dtype];
    expect(result.error).toBeUndefined();
    expectClose(result.y, y, tolerance);
    expectClose(result.dx, dx, tolerance);
    const scale = Math.max(1, ...[...dweight, ...dbias].map(Math.abs));
    expectClose(result.gradients![0]!, dweight, tolerance * scale);
    expectClose(result.gradients![1]!, dbias, tolerance * scale);
  });
}
