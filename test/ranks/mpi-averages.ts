/** Averages over processes: the results of this rank beside the file that describes the work. */

import { readFileSync, writeFileSync } from 'node:fs';
import { deserialize, serialize } from 'node:v8';
import { type AverageScript, runAverages } from './averages.js';
import { join } from './mpi-ranks.js';

const path = process.argv[2];
const { rank } = await join(60);
const scripts = deserialize(readFileSync(path)) as AverageScript[];
const results = [];
for (const script of scripts) results.push(await runAverages(script));
writeFileSync(`${path}.${rank}`, serialize(results));
