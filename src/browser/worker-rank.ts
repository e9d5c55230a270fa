/** One rank as a Web Worker, as the page sees it. */

import type { ThreadWorldHandle } from '../group/thread/world.js';
import type { RankEnd, RankListener, RunningRank, StartRank } from '../launch/world/rank.js';
import { isOurs, type RankReport, type RankStart, type StartMessage } from './protocol.js';

/** Events for a page; each gets the world rank that it comes from. */
export interface WorkerEvents {
  /** The script posted `message` to the page. */
  onMessage?: ((message: unknown, rank: number) => void) | undefined;
}

/** Makes the worker of a rank. */
export type MakeWorker = (rank: number) => Worker;

/** Exit code of a rank that failed or had to be ended. */
const FAILED = 1;

/** Starts ranks in the workers that `makeWorker` makes. */
export function workerStarter(
  makeWorker: MakeWorker,
  dataOf: (rank: number) => unknown,
  events: WorkerEvents,
): StartRank {
  return (handle, listener) => {
    const { port1, port2 } = new MessageChannel();
    const start: RankStart = { handle, data: dataOf(handle.rank) };
    port1.postMessage(start);
    return new WorkerRank(makeWorker(handle.rank), port2, handle, listener, events);
  };
}

class WorkerRank implements RunningRank {
  readonly #worker: Worker;
  readonly #start: MessagePort;
  readonly #listener: RankListener;
  #ready = false;
  #told = false;
  #ended = false;

  constructor(
    worker: Worker,
    start: MessagePort,
    { rank }: ThreadWorldHandle,
    listener: RankListener,
    events: WorkerEvents,
  ) {
    this.#worker = worker;
    this.#start = start;
    this.#listener = listener;
    worker.addEventListener('message', ({ data }) => {
      if (isOurs(data)) this.#receive(data.syncbn as RankReport);
      else events.onMessage?.(data, rank);
    });
    worker.addEventListener('messageerror', () => {
      this.#fail(new Error('it posted what this page cannot read'));
    });
    worker.addEventListener('error', (event) => this.#uncaught(event));
  }

  post(message: unknown, transferList: readonly Transferable[] = []): void {
    this.#worker.postMessage(message, [...transferList]);
  }

  /** Without its lock nothing tells when a worker is gone; it has not begun its work then. */
  end(): void {
    this.#told = true;
    this.#worker.terminate();
    if (!this.#ready) queueMicrotask(() => this.#end({ exitCode: FAILED }));
  }

  #receive(report: RankReport): void {
    if (report.kind === 'ready') this.#begin(report.lock);
    else if (report.kind === 'result') this.#end({ exitCode: 0, result: report.value });
    else this.#fail(thrown(report));
  }

  #begin(lock: string): void {
    this.#ready = true;
    void navigator.locks.request(lock, () => {
      if (this.#told) this.#end({ exitCode: FAILED });
      else
        this.#fail(new Error('its worker ended before main did: close(), terminate() or a crash'));
    });
    const message: StartMessage = { syncbn: { start: this.#start } };
    this.#worker.postMessage(message, [this.#start]);
    this.#listener.started();
  }

  /**
   * An error that no listener in the worker has reported before: the script is missing, may not be
   * loaded, or has thrown before it called `runRank`.
   */
  #uncaught({ message, filename, lineno }: ErrorEvent): void {
    const at = filename ? ` (${filename}:${lineno})` : '';
    const when = this.#ready ? 'threw' : 'threw before runRank was called';
    this.#fail(
      new Error(
        message
          ? `its script ${when}: ${message}${at}`
          : 'its script could not be loaded: it is not there, or it came without the header ' +
              "'Cross-Origin-Embedder-Policy: require-corp'",
      ),
    );
  }

  #fail(error: unknown): void {
    this.#end({ exitCode: FAILED, error });
  }

  #end(end: Partial<RankEnd> & { exitCode: number }): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#worker.terminate();
    this.#listener.ended({ error: undefined, result: undefined, ...end });
  }
}

/** The error of a rank. A copied error loses the name of a class that is not the language's. */
function thrown({ error, name, text }: RankReport & { kind: 'failure' }): unknown {
  if (error === undefined) return new Error(text);
  if (error instanceof Error) error.name = name;
  return error;
}
