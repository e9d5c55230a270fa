/** Averages, broadcasts and long sums of this package, over whatever its ranks are. */

import type { ProcessGroup } from '../../src/group/process-group.js';
import { allocateTensor } from '../../src/ops/allocate.js';
import { averageGradients, broadcastParameters } from '../../src/parallel/calls.js';
import { samplesOf } from '../turns/serve.js';
import { errorOfMeans, fillGradients, type GradientTask, SUMS } from './task.js';

const HERE = ', in the kernels’ memory';

export class GradientPlayer {
  readonly #group: ProcessGroup;
  readonly #works = new Map<string, () => void>();

  constructor(group: ProcessGroup) {
    this.#group = group;
  }

  /** Does each work once. @returns the errors */
  prepare({ lengths }: GradientTask): Record<string, number> {
    const { rank, size } = this.#group;
    const usual = lengths.map((length) => new Float32Array(length));
    const allocated = lengths.map((length) => allocateTensor([length]).data as Float32Array);
    const check = (arrays: Float32Array[], work: string, run: () => void) => {
      fillGradients(arrays, rank);
      this.#works.set(work, run);
      run();
      return errorOfMeans(arrays, size);
    };
    const average = check(usual, 'average', () => averageGradients(usual));
    const here = check(allocated, `average${HERE}`, () => averageGradients(allocated));
    fillGradients(usual, 0);
    const first = usual.map((array) => array.slice());
    if (rank > 0) for (const array of usual) array.fill(0);
    const broadcast = () => broadcastParameters(usual);
    this.#works.set('broadcast', broadcast);
    broadcast();
    const same = usual.every((array, a) => array.every((value, i) => value === first[a][i]));
    return {
      average,
      [`average${HERE}`]: here,
      broadcast: same ? 0 : Number.POSITIVE_INFINITY,
      ...Object.fromEntries(SUMS.flatMap((length) => this.#sums(length))),
    };
  }

  /** Sums of one array, in ordinary memory and in the kernels'. @returns works and errors */
  #sums(length: number): [string, number][] {
    const { rank, size } = this.#group;
    const arrays = { '': new Float32Array(length), [HERE]: allocateTensor([length]).data };
    return Object.entries(arrays).map(([where, data]) => {
      const array = data as Float32Array;
      const work = `sum of ${length.toLocaleString('en')}${where}`;
      const run = () => {
        this.#group.allReduce(array).wait();
      };
      fillGradients([array], rank);
      run();
      const error = errorOfMeans([array], size, 1);
      // Sums are in place: sums of sums of anything else would end as infinity.
      array.fill(0);
      this.#works.set(work, run);
      return [work, error];
    });
  }

  turn(work: string, calls: number, samples: number): Promise<number[]> {
    const run = this.#works.get(work) as () => void;
    // Every call meets the other ranks by itself.
    return samplesOf(run, calls, samples, () => this.#group.barrier().wait());
  }
}
