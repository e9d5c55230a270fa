/** All-reduces by a group of this package, over whatever its ranks are. */

import type { ProcessGroup } from '../../src/group/process-group.js';
import { samplesOf } from '../turns/serve.js';
import { type AllReduceTask, errorOfSum, summands } from './task.js';

export class GroupPlayer {
  readonly #group: ProcessGroup;
  #data = new Float64Array();

  constructor(group: ProcessGroup) {
    this.#group = group;
  }

  /** Sums once, and gives the error. */
  prepare(task: AllReduceTask): number {
    const data = summands(task, this.#group.rank);
    this.#group.allReduce(data).wait();
    // Sums are in place, and sums of sums of anything else would end as infinity.
    this.#data = new Float64Array(task.count);
    return errorOfSum(data, task, this.#group.size);
  }

  turn(calls: number, samples: number): Promise<number[]> {
    const [group, data] = [this.#group, this.#data];
    const run = () => {
      group.allReduce(data).wait();
    };
    // Every call meets the other ranks by itself.
    return samplesOf(run, calls, samples, () => {});
  }
}
