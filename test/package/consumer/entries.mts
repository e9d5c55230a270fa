/** Every entry that needs no framework, used with the strictest settings of several projects. */

import * as syncbn from 'syncbn';
import * as launcher from 'syncbn/launch';
import * as models from 'syncbn/models';

await syncbn.init();
const layer = new syncbn.SyncBatchNorm(2);
const x = syncbn.Tensor.ones([2, 2]);
const { output, context } = layer.forwardWithContext(x);
const dx: syncbn.Tensor = layer.backward(output, { context });
const sum: Float32Array = syncbn.createGroup('me', [0]).allReduce(new Float32Array(2)).wait();
const dispose: () => void = dx[Symbol.dispose].bind(dx);

const folded: models.Folded = models.foldIntoConvolution(layer, syncbn.Tensor.ones([3, 2]));
const bytes: Uint8Array = models.encodeSafetensors({ ...folded, norm: layer.stateDict() });
layer.loadStateDict(models.stateOf(models.decodeSafetensors(bytes).tensors, 'norm'));
await models.recomputeRunningStatistics([layer], () => layer.forward(x));

const options: launcher.LaunchOptions = {
  workerNum: 2,
  onOutput: (text, rank, stream) => console.log(`${stream} of ${rank}: ${text}`),
  resourceLimits: { maxOldGenerationSizeMb: 64 },
};
const world: launcher.Launch<number> = launcher.launch<number>('rank.js', options);
world.post(0, sum, [sum.buffer]);
dispose();
