/** Contestants whose ranks are worker threads in a world of their own. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createThreadWorld } from '../../src/group/thread/world.js';
import { type Contestant, LinkedContestant } from './contestant.js';
import type { Reply } from './protocol.js';

/**
 * Starts `script` on each rank, where `init()` joins the world and `serveThread` answers.
 * @param data what else the ranks find in `workerData`
 */
export function startThreads(name: string, script: URL, ranks: number, data = {}): Contestant {
  return start(name, script, createThreadWorld(ranks), data);
}

/** The same with as many worlds of one rank each: what the machine gives ranks that never meet. */
export function startApart(name: string, script: URL, ranks: number, data = {}): Contestant {
  const worlds = Array.from({ length: ranks }, () => createThreadWorld(1));
  return start(name, script, worlds.flat(), data);
}

function start(
  name: string,
  script: URL,
  handles: ReturnType<typeof createThreadWorld>,
  data: object,
): Contestant {
  const workers = handles.map((syncbn) => new Worker(script, { workerData: { ...data, syncbn } }));
  const links = workers.map((worker) => ({
    async ask(request: unknown): Promise<Reply> {
      worker.postMessage(request);
      // Rejects when the worker fails instead.
      const [reply] = await once(worker, 'message');
      return reply as Reply;
    },
  }));
  return new LinkedContestant(name, links, async () => {
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
}
