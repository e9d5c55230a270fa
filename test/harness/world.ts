/** Worlds of threads for tests: ranks that live for a whole test file and run tasks on request. */

import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
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

/** Ranks that are threads, whatever their world. */
class RankThreads {
  readonly workers: Worker[] = [];
  readonly #pending = new Map<string, (reply: Reply) => void>();
  #tasks = 0;

  get size(): number {
    return this.workers.length;
  }

  /** Runs a task on every rank that `dataOf` gives data for; null: the rank does nothing. */
  async run<T>(name: string, dataOf: (rank: number) => unknown): Promise<Outcome<T>[]> {
    const id = this.#tasks++;
    return Promise.all(
      this.workers.map((worker, rank) => {
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
    await Promise.all(this.workers.map((worker) => worker.terminate()));
  }

  /** Starts the next rank. */
  protected start(
    workerData: unknown,
    env: NodeJS.ProcessEnv,
    transferList: MessagePort[] = [],
  ): Worker {
    const rank = this.workers.length;
    const worker = new Worker(RANK_SCRIPT, {
      ...{ workerData, transferList },
      env: { ...process.env, ...env },
    });
    worker.on('message', (reply: Reply) => this.#settle(rank, reply));
    // Heard of by the tasks that it does not answer.
    worker.on('error', () => {});
    worker.on('exit', () => this.#endOf(rank));
    this.workers.push(worker);
    return worker;
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

export class TestWorld extends RankThreads {
  /** @param envOf what a rank has in its environment beside this thread's */
  constructor(
    size: number,
    options: ThreadWorldOptions = {},
    envOf: (rank: number) => NodeJS.ProcessEnv = () => ({}),
  ) {
    super();
    for (const handle of createThreadWorld(size, { timeout: 20, ...options })) {
      const { rank } = handle;
      const worker = this.start({ syncbn: handle }, envOf(rank));
      worker.on('error', (error) => {
        failThreadWorld(handle, `rank ${rank} failed: ${error.name}: ${error.message}`);
      });
      worker.on('exit', (code) => markExited(handle, code));
    }
  }
}

/** Ranks that reach one another through MessagePorts, and can only await. */
export class PortWorld extends RankThreads {
  constructor(size: number) {
    super();
    const ports: (MessagePort | null)[][] = Array.from({ length: size }, () => []);
    for (let rank = 0; rank < size; rank++) {
      ports[rank][rank] = null;
      for (let other = 0; other < rank; other++) {
        const { port1, port2 } = new MessageChannel();
        [ports[rank][other], ports[other][rank]] = [port1, port2];
      }
    }
    ports.forEach((own, rank) => {
      const transfer = own.filter((port) => port !== null);
      this.start({ ports: own, rank }, {}, transfer);
    });
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
