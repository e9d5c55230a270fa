// A worker as users write it.
import { averageGradients, getRank, SyncBatchNorm, Tensor } from 'syncbn';
import { runRank } from 'syncbn/browser';

runRank(({ steps }) => {
  const norm = new SyncBatchNorm(2, { name: 'norm' });
  const x = Tensor.from([1, 2, 3, 4, 5, 6 + getRank()], [3, 2]);
  for (let step = 0; step < steps; step++) {
    const y = norm.forward(x);
    norm.backward(y);
    averageGradients(norm.parameters());
  }
  return [...norm.runningMean.data];
});
