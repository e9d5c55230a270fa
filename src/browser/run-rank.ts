/** The worker's side of `launchWorkers`. */

import { describeError } from '../core/errors.js';
import { failThreadWorld, type ThreadWorldHandle } from '../group/thread/world.js';
import { init } from '../group/world.js';
import { isOurs, type RankReport, type RankStart, type StartMessage } from './protocol.js';

/** The parts of a worker's global scope that are needed; the compiler knows only the page's. */
interface WorkerScope {
  addEventListener(
    type: 'message' | 'error' | 'unhandledrejection',
    listener: (event: never) => void,
  ): void;
  removeEventListener(type: 'message', listener: (event: never) => void): void;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as WorkerScope;
let running = false;

/**
 * Makes this worker a rank of the world of {@link launchWorkers}: joins it (`init` is done), calls
 * `main` with the launcher's `data`, and sends back its result, or the value it resolves to, by
 * structured clone. Then the rank has ended, and its worker is terminated. The rank fails if `main`
 * throws or rejects, and if anything else in the worker throws or rejects without being caught;
 * then the whole world ends. Call it once, on the script's top level.
 * @throws Error outside a worker, and if it is called twice
 */
export function runRank<Data = unknown, Result = unknown>(
  main: (data: Data) => Result | Promise<Result>,
): void {
  if (typeof document !== 'undefined' || typeof scope.postMessage !== 'function') {
    throw new Error('runRank: this is no worker; call it in the script of one (docs/browser.md)');
  }
  if (running) throw new Error('runRank: this worker is a rank already; call it once');
  running = true;
  const rank = new Rank(main as (data: unknown) => unknown);
  void rank.announce();
}

class Rank {
  readonly #main: (data: unknown) => unknown;
  #handle: ThreadWorldHandle | null = null;
  #over = false;

  constructor(main: (data: unknown) => unknown) {
    this.#main = main;
    scope.addEventListener('error', ({ error, message }: ErrorEvent) =>
      this.#fail(error ?? new Error(message)),
    );
    scope.addEventListener('unhandledrejection', ({ reason }: PromiseRejectionEvent) =>
      this.#fail(reason),
    );
  }

  /**
   * Tells the page that the worker is ready. The lock first: the page sees a worker's end, of which
   * no event tells, by the lock coming free.
   */
  async announce(): Promise<void> {
    const lock = `syncbn rank ${crypto.randomUUID()}`;
    await new Promise<void>((held) => {
      void navigator.locks.request(lock, () => {
        held();
        return new Promise(() => {});
      });
    });
    const take = (event: MessageEvent) => {
      if (!isOurs(event.data)) return;
      event.stopImmediatePropagation();
      scope.removeEventListener('message', take);
      const { start } = (event.data as StartMessage).syncbn;
      start.onmessage = ({ data }) => void this.#run(data);
    };
    scope.addEventListener('message', take);
    this.#report({ kind: 'ready', lock });
  }

  async #run({ handle, data }: RankStart): Promise<void> {
    this.#handle = handle;
    try {
      await init({ world: handle });
      const value = await this.#main(data);
      if (!this.#over) this.#sendResult(value);
      this.#over = true;
    } catch (error) {
      this.#fail(error);
    }
  }

  #sendResult(value: unknown): void {
    try {
      this.#report({ kind: 'result', value });
    } catch (cause) {
      const why = describeError(cause);
      throw new TypeError(`main returned what cannot be copied to the page: ${why}`, { cause });
    }
  }

  /** The other ranks first: they must know before they fail because of this one. */
  #fail(error: unknown): void {
    if (this.#over) return;
    this.#over = true;
    const text = describeError(error);
    const handle = this.#handle;
    if (handle !== null) failThreadWorld(handle, `rank ${handle.rank} failed: ${text}`);
    const name = error instanceof Error ? error.name : 'Error';
    try {
      this.#report({ kind: 'failure', text, name, error });
    } catch {
      this.#report({ kind: 'failure', text, name, error: undefined });
    }
  }

  #report(report: RankReport): void {
    scope.postMessage({ syncbn: report });
  }
}
