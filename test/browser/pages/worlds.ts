/** Page of the tests of `syncbn/browser`. */

import { createGroup, createThreadWorld, getRank } from 'syncbn';
import { launchWorkers, RankFailedError, type WorkerLaunchOptions } from 'syncbn/browser';
import { offer } from '../harness/scenarios.js';
import { forward, train } from './network.js';
import type { Task } from './rank.js';

function worker(query = '', script = './rank.js'): Worker {
  return new Worker(new URL(script + query, import.meta.url), { type: 'module' });
}

function start<T>(options: Partial<WorkerLaunchOptions> & { data?: unknown }, query = '') {
  return launchWorkers<T>(() => worker(query), { workerNum: 3, timeout: 20, ...options });
}

async function resultsOf(task: Task, query = '', workerNum = 3): Promise<unknown> {
  return start({ data: task, workerNum }, query).done;
}

/** How a world failed, and how long that took. */
export interface FailureReport {
  readonly name: string;
  readonly message: string;
  readonly rank: number;
  readonly cause: string;
  readonly milliseconds: number;
}

async function failureOf(done: Promise<unknown>): Promise<FailureReport> {
  const begun = performance.now();
  try {
    await done;
  } catch (error) {
    const { name, message, rank, cause } = error as RankFailedError;
    if (!(error instanceof RankFailedError)) throw error;
    return {
      ...{ name, message, rank },
      cause: String(cause),
      milliseconds: performance.now() - begun,
    };
  }
  throw new Error('the world did not fail');
}

/** Fails as `task` asks; the ranks without the fault wait for the faulty one, in a barrier. */
function fail(task: Task): Promise<FailureReport> {
  return failureOf(start({ data: task }).done);
}

/** Worker 1 of the world is not as it should be. */
function failOf(make: (rank: number) => Worker, options: object = {}): Promise<FailureReport> {
  const data = { what: 'wait' };
  return failureOf(launchWorkers(make, { workerNum: 3, data, timeout: 20, ...options }).done);
}

async function talk() {
  const messages: unknown[] = [];
  const dataOf = (rank: number) => ({ what: 'talk', own: rank * 11 });
  const world = start({
    workerNum: 2,
    data: dataOf,
    onMessage: (message, rank) => {
      messages.push([rank, message]);
      if ('second' in (message as object)) world.post(rank, `hello ${rank}`);
    },
  });
  const results = await world.done;
  const refused = await tried(() => world.post(2, 'nobody'));
  return { results, refused, messages: messages.sort() };
}

async function tried(call: () => unknown): Promise<string> {
  try {
    await call();
    return 'nothing thrown';
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

/** Ranks in an endless wait; `stop` ends them. */
async function stop() {
  const world = start({
    data: { what: 'wait' },
    mainHere: () => new Promise(() => {}),
  });
  const done = tried(() => world.done);
  const begun = performance.now();
  await world.stop();
  return { done: await done, milliseconds: performance.now() - begun };
}

/** The page terminates the worker of rank 1, for which the others wait. */
async function terminated(): Promise<FailureReport> {
  const workers: Worker[] = [];
  let begun = 0;
  const world = launchWorkers(
    (rank) => {
      workers[rank] = worker();
      return workers[rank];
    },
    {
      workerNum: 3,
      data: { what: 'wait', fault: 'hang', faultyRank: 1 },
      timeout: 20,
      onMessage: () => {
        begun = performance.now();
        workers[1].terminate();
      },
    },
  );
  const report = await failureOf(world.done);
  return { ...report, milliseconds: performance.now() - begun };
}

/** Sums over all ranks, the page's main thread being one of them. */
async function here() {
  const world = start({
    workerNum: 4,
    data: { what: 'wait' },
    mainHere: async ({ what }: Task) => {
      const group = createGroup('everybody', [0, 1, 2, 3]);
      const barrier = group.barrier({ label: 'the end' });
      const refused = await tried(() => barrier.wait());
      await barrier.done();
      return { rank: getRank(), what, refused };
    },
  });
  const results = await world.done;
  return { results, after: await tried(() => getRank()) };
}

/** The main thread trains as the fourth rank, and awaits; the workers block. */
async function trainHere() {
  const mainHere = () => train(50, 'done');
  return start({ workerNum: 4, data: { what: 'train' }, mainHere }).done;
}

/** The main thread calls `forward`, as all others do. */
async function forwardHere() {
  return start({ data: { what: 'forward' }, mainHere: () => forward() }).done;
}

async function notIsolated() {
  return {
    isolated: crossOriginIsolated,
    launch: await tried(() => start({ data: { what: 'train' } })),
    world: await tried(() => createThreadWorld(2)),
  };
}

offer({
  results: ({ task, query, workerNum }: { task: Task; query?: string; workerNum?: number }) =>
    resultsOf(task, query, workerNum),
  fail,
  missing: () => failOf((rank) => worker('', rank === 1 ? './missing.js' : './rank.js')),
  bare: () => failOf((rank) => worker(rank === 1 ? '?bare' : '')),
  thrower: () => failOf((rank) => worker(rank === 1 ? '?thrower' : '')),
  silent: () =>
    failOf((rank) => worker('', rank === 1 ? './silent.js' : './rank.js'), { startTimeout: 0.5 }),
  terminated,
  talk,
  stop,
  here,
  trainHere,
  forwardHere,
  notIsolated,
  uncopied: () => tried(() => start({ data: { what: () => {} } })),
  wrongOptions: async () => ({
    factory: await tried(() => launchWorkers(worker() as never, { workerNum: 1 })),
    size: await tried(() => start({ workerNum: 0 })),
    type: await tried(() => start({ workerNum: 1.5 })),
    timeout: await tried(() => start({ timeout: 0 })),
    here: await tried(() => start({ mainHere: 3 as never })),
  }),
});
