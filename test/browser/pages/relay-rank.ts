/** A rank of a relay world in a worker, and on any other thread that can await. */

import { createGroup, init, release } from 'syncbn';
import { type Link, portLink, relayWorld } from 'syncbn/relay';
import { trainJax } from './jax.js';
import { type Trained, train } from './network.js';

export interface RelayTask {
  readonly what: 'train' | 'train with jax' | 'latency' | 'wait' | 'hang';
  readonly rank: number;
  readonly size: number;
  readonly token: string;
}

/** Milliseconds of an all-reduce of 128 float64: the best of 5 rounds of 20. */
async function latency(size: number): Promise<number> {
  const group = createGroup(
    'everybody',
    Array.from({ length: size }, (_, rank) => rank),
  );
  const numbers = new Float64Array(128);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round++) {
    const start = performance.now();
    for (let i = 0; i < 20; i++) await group.allReduce(numbers).done();
    best = Math.min(best, (performance.now() - start) / 20);
  }
  return best;
}

/** Joins the world at the other end of `link`, tells so, and does what `task` says. */
export async function runRelayRank(
  task: RelayTask,
  link: Link,
  joined: () => void = () => {},
): Promise<Trained | number | null> {
  const { what, rank, size, token } = task;
  await init({ world: await relayWorld({ rank, size, token, link, timeout: 20 }) });
  joined();
  try {
    if (what === 'train') return await train(50, 'done');
    if (what === 'train with jax') return await trainJax(8, 'done');
    if (what === 'latency') return await latency(size);
    if (what === 'hang') await new Promise(() => {});
    await createGroup('everybody', [0, 1, 2]).barrier({ label: 'the end' }).done();
    return null;
  } finally {
    release();
  }
}

if (typeof document === 'undefined' && typeof postMessage === 'function') {
  addEventListener('message', async ({ data }) => {
    const { task, port } = data as { task: RelayTask; port: MessagePort };
    try {
      const joined = () => postMessage('joined');
      postMessage({ value: await runRelayRank(task, portLink(port), joined) });
    } catch (error) {
      postMessage({ error: `${(error as Error).name}: ${(error as Error).message}` });
    }
  });
}
