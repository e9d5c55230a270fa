/** One rank of the ways to run a layer: checks each, then runs them when it is told to. */

import { setFlagsFromString } from 'node:v8';
import { workerData } from 'node:worker_threads';
import type { DType } from '../../src/core/dtype.js';
import { findGroup, init } from '../../src/group/world.js';
import { samplesOf, serveThread } from '../turns/serve.js';
import type { VariantTask } from './measure.js';
import { type Numbers, numbersOf } from './reference.js';
import { Tensors } from './tensors.js';
import { VariantPass } from './variant-pass.js';
import { PLAIN, VARIANTS, type VariantName } from './variants.js';

// Must come before the kernels, which ask the engine once.
if ((workerData as { relaxed: boolean }).relaxed) {
  setFlagsFromString('--experimental-wasm-relaxed-simd');
}
await init();
const group = findGroup(null, 'bench');
const ranks = Array.from({ length: group.size }, (_, rank) => rank);
const works = new Map<string, () => void>();
const tensors = new Tensors();

serveThread<VariantTask>({
  prepare(task) {
    works.clear();
    tensors.clear();
    const errors: Record<string, number> = {};
    /** Numbers of all ranks that a type holds. */
    const known = new Map<DType, readonly Numbers[]>();
    const names: readonly VariantName[] = [PLAIN, ...VARIANTS[task.part]];
    for (const name of names) {
      const pass = new VariantPass(task, name, tensors);
      const rounded = (values: Float64Array) => pass.rounded(values);
      const numbers = known.get(pass.dtype) ?? ranks.map((rank) => numbersOf(task, rank, rounded));
      known.set(pass.dtype, numbers);
      pass.fill(numbers[group.rank]);
      // Twice: the ranks agree on blocks in the first call, and take them from the second on.
      for (let i = 0; i < 2; i++) pass.train();
      const { forward, training } = pass.errors(group.rank, numbers);
      errors[`${name}: forward`] = forward!;
      errors[`${name}: training`] = training!;
      works.set(`${name}: forward`, () => pass.forward());
      works.set(`${name}: training`, () => pass.train());
    }
    return errors;
  },
  turn(work, calls, samples) {
    return samplesOf(works.get(work)!, calls, samples, () => group.barrier().wait());
  },
});
