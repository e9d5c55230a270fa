/** The checked mode of averaging: compares the parameters of all ranks. */

import { Parameter } from '../core/parameter.js';
import { Agreement } from '../group/agreement.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { GradientHolder } from './targets.js';

/** Compares the values of the parameters among `holders`, bit by bit. */
export function agreementOf(
  holders: readonly GradientHolder[],
  group: ProcessGroup,
  caller: string,
): Agreement {
  const parameters = holders.filter((holder) => holder instanceof Parameter);
  const tensors = parameters.map(({ name, data }, i) => ({
    name: `${name} (${i})`,
    data: data.data,
  }));
  return new Agreement(group, caller, { holders: holders.length }, tensors);
}
