/** All tables of a run, in the order in which they are shown. */

import type { Results } from '../results.js';
import { comparisonTables } from './comparisons.js';
import { floorTables } from './floors.js';
import { latencyTables } from './latencies.js';
import { layerTables } from './layers.js';
import type { Rows } from './table.js';

export function tablesOf({ layers, floors, latencies, comparisons }: Results): Rows[] {
  return [
    ...layerTables(layers),
    ...floorTables(floors),
    ...latencyTables(latencies),
    ...comparisonTables(comparisons),
  ];
}
