/** Worlds of threads for tests: ranks that live for a whole test file and run tasks on request. */

import { Worker } from 'node:worker_threads';
import { createThreadWorld, failThreadWorld, type ThreadWorldOptions } from 'syncbn';
import { markExited } from '../../src/group/thread/world.js';
import type { Reply, Task } from '../ranks/rank.js';

const RANK_SCRIPT = new URL('../../build/test/ranks/rank.js', import.meta.url);

/** What a rank's task came to. */
export type Outcome<T> =
  | { result: T; error?: undefined }
  | { result?: undefined; error: { name: string; message: string } };

/** World sizes of the test matrix. */
export const SIZES = [1, 2, 3, 4, 7] as const;

export class TestWorld {
  readonly size: number;
  readonly #workers: Worker[];
  readonly #pending = new Map<string, (reply: Reply) => void>();
  #tasks = 0;

  /** @param envOf what a rank has in its environment beside this thread's */
  constructor(
    size: number,
    options: ThreadWorldOptions = {},
    envOf: (rank: number) => NodeJS.ProcessEnv = () => ({}),
  ) {
    this.size = size;
    this.#workers = createThreadWorld(size, { timeout: 20, ...options }).map((handle) => {
      const worker = new Worker(RANK_SCRIPT, {
        workerData: { syncbn: handle },
        env: { ...process.env, ...envOf(handle.rank) },
      });
      worker.on('message', (reply: Reply) => this.#settle(handle.rank, reply));
      worker.on('error', (error) => {
        failThreadWorld(handle, `rank ${handle.rank} failed: ${error.name}: ${error.message}`);
      });
      worker.on('exit', (code) => {
        markExited(handle, code);
        this.#endOf(handle.rank);
      });
      return worker;
    });
  }

  /** Runs a task on every rank that `dataOf` gives data for; null: the rank does nothing. */
  async run<T>(name: string, dataOf: (rank: number) => unknown): Promise<Outcome<T>[]> {
    const id = this.#tasks++;
    return Promise.all(
      this.#workers.map((worker, rank) => {
        const data = dataOf(rank);
        if (data === null) return { result: undefined as T };
        return this.#send<T>(worker, rank, { id, name, data });
      }),
    );
  }

  /** Like {@link run}, for tasks that must not fail. */
  async results<T>(name: string, dataOf: (rank: number) => unknown): Promise<T[]> {
    const outcomes = await this.run<T>(name, dataOf);
    return outcomes.map(({ result, error }, rank) => {
      if (error) throw new Error(`rank ${rank}: ${error.name}: ${error.message}`);
      return result as T;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  #send<T>(worker: Worker, rank: number, task: Task): Promise<Outcome<T>> {
    return new Promise((resolve) => {
      this.#pending.set(`${rank}/${task.id}`, ({ result, error }) =>
        resolve(error === undefined ? { result: result as T } : { error }),
      );
      worker.postMessage(task);
    });
  }

  #settle(rank: number, reply: Reply): void {
    const key = `${rank}/${reply.id}`;
    this.#pending.get(key)?.(reply);
    this.#pending.delete(key);
  }

  /** A rank that has ended answers nothing any more. */
  #endOf(rank: number): void {
    for (const [key, settle] of this.#pending) {
      if (!key.startsWith(`${rank}/`)) continue;
      settle({ id: -1, error: { name: 'Ended', message: `rank ${rank} has ended` } });
      this.#pending.delete(key);
    }
  }
}

const worlds = new Map<number, TestWorld>();

/** A world that the tests of this file share; none of them may break it. */
export function sharedWorld(size: number): TestWorld {
  let world = worlds.get(size);
  if (world === undefined) {
    world = new TestWorld(size);
    worlds.set(size, world);
  }
  return world;
}

/** Ends the shared worlds; for `afterAll`. */
export async function closeSharedWorlds(): Promise<void> {
  await Promise.all([...worlds.values()].map((world) => world.close()));
  worlds.clear();
}
