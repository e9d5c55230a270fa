/** All tables of a run, in the order in which they are shown. */

import type { Results } from '../results.js';
import { comparisonTables } from './comparisons.js';
import { floorTables, overCTables } from './floors.js';
import { layerRaceTables, scalingTables, stepRaceTables } from './frameworks.js';
import { gradientTables } from './gradients.js';
import { latencyTables } from './latencies.js';
import { layerTables } from './layers.js';
import type { Rows } from './table.js';
import { variantTables } from './variants.js';

export function tablesOf(results: Results): Rows[] {
  const { layers, floors, latencies, comparisons } = results;
  return [
    ...layerTables(layers),
    ...overCTables(layers, floors),
    ...floorTables(floors),
    ...latencyTables(latencies),
    ...gradientTables(results.gradients),
    ...comparisonTables(comparisons),
    ...variantTables(results.variants),
    ...layerRaceTables(results.layerRaces),
    ...stepRaceTables(results.stepRaces),
    ...scalingTables(results.scalings),
  ];
}
