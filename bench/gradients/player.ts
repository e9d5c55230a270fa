/** Averages and broadcasts of this package, over whatever its ranks are. */

import type { ProcessGroup } from '../../src/group/process-group.js';
import { allocateTensor } from '../../src/ops/allocate.js';
import { averageGradients, broadcastParameters } from '../../src/parallel/calls.js';
import { samplesOf } from '../turns/serve.js';
import { errorOfMeans, fillGradients, type GradientTask } from './task.js';

export type OwnWork = 'average' | 'average, in the kernels’ memory' | 'broadcast';

export class GradientPlayer {
  readonly #group: ProcessGroup;
  readonly #works = new Map<string, () => void>();

  constructor(group: ProcessGroup) {
    this.#group = group;
  }

  /** Does each work once. @returns the errors */
  prepare({ lengths }: GradientTask): Record<OwnWork, number> {
    const { rank, size } = this.#group;
    const usual = lengths.map((length) => new Float32Array(length));
    const allocated = lengths.map((length) => allocateTensor([length]).data as Float32Array);
    const check = (arrays: Float32Array[], work: OwnWork, run: () => void) => {
      fillGradients(arrays, rank);
      this.#works.set(work, run);
      run();
      return errorOfMeans(arrays, size);
    };
    const average = check(usual, 'average', () => averageGradients(usual));
    const here = check(allocated, 'average, in the kernels’ memory', () =>
      averageGradients(allocated),
    );
    fillGradients(usual, 0);
    const first = usual.map((array) => array.slice());
    if (rank > 0) for (const array of usual) array.fill(0);
    const broadcast = () => broadcastParameters(usual);
    this.#works.set('broadcast', broadcast);
    broadcast();
    const same = usual.every((array, a) => array.every((value, i) => value === first[a][i]));
    return {
      average,
      'average, in the kernels’ memory': here,
      broadcast: same ? 0 : Number.POSITIVE_INFINITY,
    };
  }

  turn(work: string, calls: number, samples: number): Promise<number[]> {
    const run = this.#works.get(work) as () => void;
    // Every call meets the other ranks by itself.
    return samplesOf(run, calls, samples, () => this.#group.barrier().wait());
  }
}
