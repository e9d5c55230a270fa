/** What a user of the packed package writes; compiled against its types, and run. */

import {
  averageGradients,
  createGroup,
  GlobalBatchNorm,
  getGroupSize,
  getRank,
  init,
  type initializers,
  release,
  SyncBatchNorm,
  Tensor,
  type Work,
} from 'syncbn';
import { launchWorkers, runRank, type WorkerLaunch } from 'syncbn/browser';
import { convolve, network } from 'syncbn/jax';
import { type Launch, launch } from 'syncbn/launch';
import {
  type Link,
  portLink,
  RelayHub,
  type RelayWorld,
  relayWorld,
  webSocketLink,
} from 'syncbn/relay';

await init();
const group = createGroup('me', [0]);
const layer = new SyncBatchNorm(2, { processGroup: 'me', dtype: 'float32' });
const y: Tensor = layer.forward(Tensor.from([1, 2, 3, 4], [2, 2]));
const dx: Tensor = layer.backward(Tensor.ones([2, 2]));
averageGradients(layer.parameters());
const work: Work<Float64Array> = group.allReduce(new Float64Array([getRank(), getGroupSize()]));
const sum: number = work.wait()[1];
const start: (script: string, options: { workerNum: number }) => Launch<unknown> = launch;
const startWorkers = (worker: Worker): WorkerLaunch<number> =>
  launchWorkers<number>(() => worker, { workerNum: 2, mainHere: ({ a }: { a: number }) => a });
const rank = () => runRank(async ({ steps }: { steps: number }) => steps);
const join = (port: MessagePort, socket: WebSocket): Promise<RelayWorld> => {
  new RelayHub({ size: 2, token: 'a' }).attach(port);
  const link: Link = webSocketLink(socket);
  portLink(port).close();
  return relayWorld({ rank: 0, size: 2, link });
};
const names: (keyof typeof initializers)[] = ['zeros', 'he_uniform'];

// @ts-expect-error channels are a number
const wrong = () => new SyncBatchNorm('2');
// @ts-expect-error there is no such option
const unknown = () => new GlobalBatchNorm(2, { processGroup: 'me' });

release();
const functions = [start, startWorkers, rank, join, wrong, unknown, network, convolve];
console.log(
  JSON.stringify([y.shape, dx.shape, sum, names, functions.every((f) => typeof f === 'function')]),
);
