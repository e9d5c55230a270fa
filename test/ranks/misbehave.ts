/** Ways in which a rank fails its peers. */

import { allocateTensor, createGroup, getProcessGroupRanks, release } from 'syncbn';

export type Misdeed =
  | 'throw'
  | 'reject'
  | 'exit'
  | 'exit-clean'
  | 'release'
  | 'destroy'
  | 'exit-in-sum'
  | 'wait-in-sum'
  | 'wait-in-barrier';

/** @param allocated of sums: true if the ranks' arrays lie in the kernels' memory */
export function misbehave({ how, allocated }: { how: Misdeed; allocated?: boolean }): void {
  const length = 8_000_000;
  const numbers = () =>
    allocated ? (allocateTensor([length]).data as Float32Array) : new Float32Array(length);
  const everyone = createGroup('everyone', getProcessGroupRanks());
  switch (how) {
    case 'wait-in-barrier':
      everyone.barrier({ label: "SyncBatchNorm 'bn3'" }).wait();
      return;
    case 'wait-in-sum':
      everyone.allReduce(numbers(), { label: 'gradients' }).wait();
      return;
    case 'exit-in-sum':
      everyone.allReduce(numbers(), { label: 'gradients' }).done();
      // A few of its many rounds later.
      setImmediate(() => process.exit(3));
      return;
    case 'throw':
      setImmediate(() => {
        throw new Error('a bug in the model');
      });
      return;
    case 'reject':
      Promise.reject(new Error('a bug in a promise'));
      return;
    case 'exit':
      process.exit(3);
      return;
    case 'exit-clean':
      process.exit(0);
      return;
    case 'destroy':
      everyone.close();
      return;
    case 'release':
      release();
  }
}
