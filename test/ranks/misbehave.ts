/** Ways in which a rank fails its peers. */

import { createGroup, getProcessGroupRanks, release } from 'syncbn';

export type Misdeed =
  | 'throw'
  | 'reject'
  | 'exit'
  | 'exit-clean'
  | 'release'
  | 'destroy'
  | 'wait-in-barrier';

export function misbehave({ how }: { how: Misdeed }): void {
  const everyone = createGroup('everyone', getProcessGroupRanks());
  switch (how) {
    case 'wait-in-barrier':
      everyone.barrier({ label: "SyncBatchNorm 'bn3'" }).wait();
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
