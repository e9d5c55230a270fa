/** Worlds of threads that are used again: a world costs milliseconds, unless a thread has died. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { createThreadWorld, failThreadWorld, type ThreadWorldHandle } from 'syncbn';
import type { RankEnd, WorldOutcome } from './oracle.js';
import type { Plan, PlanKey } from './plan.js';
import type { Report } from './report.js';

/** What a thread of the pool is told. */
export interface PoolTask {
  readonly key: PlanKey;
  readonly handle: ThreadWorldHandle;
}

/** What it answers. */
export type PoolAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'committed'; readonly at: number }
  | { readonly kind: 'terminate'; readonly delay: number }
  | { readonly kind: 'over'; readonly report: Report };

const SCRIPT = new URL('./pool-rank.js', import.meta.url);
/** Milliseconds after which a rank counts as hung. */
const LIMIT_MS = 15_000;
/** Bytes for the groups of a world: five ranks in five groups. */
const AREA_BYTES = 5 * 2 ** 20;

export class ThreadPool {
  readonly #idle: Worker[] = [];
  #count = 0;

  /** Threads that live. */
  get count(): number {
    return this.#count;
  }

  async run(plan: Plan): Promise<WorldOutcome> {
    const { program, timeout } = plan;
    const handles = createThreadWorld(program.size, { timeout, areaBytes: AREA_BYTES });
    const workers = await Promise.all(handles.map(() => this.#take()));
    let faultAt = 0;
    const onFault = (at: number) => {
      faultAt = at;
    };
    const ranks = await Promise.all(
      workers.map((worker, rank) => this.#runRank(worker, plan, handles[rank], onFault)),
    );
    return { ranks, faultAt, launch: null };
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map((worker) => worker.terminate()));
  }

  async #take(): Promise<Worker> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    const worker = new Worker(SCRIPT, { stdout: true, stderr: true });
    worker.stdout.resume();
    worker.stderr.resume();
    worker.on('error', () => {});
    worker.once('exit', () => this.#count--);
    this.#count++;
    // Its first answer: a deadline must not run while another rank still loads its modules.
    await once(worker, 'message');
    return worker;
  }

  /** Plays the launcher's part: a thread that dies fails the world. */
  #runRank(
    worker: Worker,
    { seed, carrier, kinds }: Plan,
    handle: ThreadWorldHandle,
    onFault: (at: number) => void,
  ): Promise<RankEnd> {
    return new Promise((resolve) => {
      const settle = (end: RankEnd, reusable: boolean) => {
        clearTimeout(limit);
        clearTimeout(killer);
        worker.off('message', onMessage).off('exit', onExit);
        if (reusable) this.#idle.push(worker);
        else void worker.terminate();
        resolve(end);
      };
      const limit = setTimeout(() => {
        settle({ report: null, hung: true, ended: true }, false);
      }, LIMIT_MS);
      let killer: NodeJS.Timeout | undefined;
      let killed = false;
      const onMessage = (answer: PoolAnswer) => {
        if (answer.kind === 'committed') onFault(answer.at);
        else if (answer.kind === 'terminate') {
          killer = setTimeout(() => {
            killed = true;
            void worker.terminate();
          }, answer.delay);
        } else if (answer.kind === 'over' && !killed) {
          const { report } = answer;
          // A thread that could not leave is in that world still.
          settle({ report, hung: false, ended: false }, report.leaveError === null);
        }
      };
      const onExit = (code: number) => {
        failThreadWorld(handle, `rank ${handle.rank} failed: exit code ${code}`);
        settle({ report: null, hung: false, ended: false }, false);
      };
      worker.on('message', onMessage).on('exit', onExit);
      worker.postMessage({ key: { seed, carrier, kinds }, handle } satisfies PoolTask);
    });
  }
}
