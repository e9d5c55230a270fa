/**
 * Runs the layers and the training that the file in the first argument describes for this rank,
 * and writes what they come to beside it. Both in V8's own format, which keeps every bit.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { join } from './mpi-ranks.js';
import { type LayerScript, type PassResult, runLayers } from './run-layer.js';
import { type ModelScript, trainModel } from './run-parallel.js';

/** What one rank does. */
export interface RankWork {
  layers: LayerScript[];
  model: ModelScript;
}

export interface RankResults {
  layers: PassResult[][];
  model: number[][];
}

const path = process.argv[2];
const { rank } = await join(60);
const work = (deserialize(readFileSync(path)) as RankWork[])[rank];
const results: RankResults = { layers: runLayers(work.layers), model: trainModel(work.model) };
writeFileSync(`${path}.${rank}`, serialize(results));
