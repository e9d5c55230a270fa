/** One rank as a thread of Node. */

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  type Transferable,
  Worker,
} from 'node:worker_threads';
import type { ThreadWorldHandle } from '../../group/thread/world.js';
import { entryOf } from '../entry.js';
import type { RankListener, RunningRank, StartRank } from '../world/rank.js';
import type { RankEvents, ResourceLimits } from './events.js';
import type { RankData, RankOutput, RankReport } from './protocol.js';
import type { Tsx } from './typescript.js';

export interface RankThreadOptions extends RankEvents {
  script: URL;
  /** True: runs as `node script` would. False: as a module whose exported `main` is called. */
  program: boolean;
  /** What makes Node read TypeScript; null when it can, or need not. */
  tsx: Tsx | null;
  args: readonly string[];
  /** Argument of `main`. */
  dataOf: (rank: number) => unknown;
  outputOf: (rank: number) => RankOutput;
  resourceLimits?: ResourceLimits | undefined;
}

/** Starts ranks as threads, all of which run the same script. */
export function threadStarter(options: RankThreadOptions): StartRank {
  return (handle, listener) => new RankThread(handle, listener, options);
}

class RankThread implements RunningRank {
  readonly #rank: number;
  readonly #listener: RankListener;
  readonly #events: RankEvents;
  readonly #worker: Worker;
  readonly #reports: MessagePort;
  #error: unknown;
  #result: unknown;

  constructor(handle: ThreadWorldHandle, listener: RankListener, options: RankThreadOptions) {
    const { script, program, tsx, args, dataOf, outputOf, resourceLimits } = options;
    const { rank } = handle;
    this.#rank = rank;
    this.#listener = listener;
    this.#events = options;
    const { port1, port2 } = new MessageChannel();
    this.#reports = port1;
    const where = { script: script.href, data: dataOf(rank), output: outputOf(rank) };
    const data: RankData = { syncbn: handle, launch: { program, tsx, ...where, reports: port2 } };
    this.#worker = new Worker(entryOf('threads/rank.js'), {
      workerData: data,
      transferList: [port2],
      argv: [...args],
      name: `rank ${rank}`,
      ...(resourceLimits && { resourceLimits }),
    });
    this.#listen();
  }

  post(message: unknown, transferList?: readonly unknown[]): void {
    this.#worker.postMessage(message, transferList as readonly Transferable[]);
  }

  end(): void {
    void this.#worker.terminate();
  }

  #listen(): void {
    this.#reports.on('message', (report: RankReport) => this.#receive(report));
    this.#worker.on('message', (message) => this.#events.onMessage?.(message, this.#rank));
    this.#worker.on('error', (error) => {
      this.#error = error;
    });
    this.#worker.on('exit', (exitCode) => this.#exited(exitCode));
  }

  #receive(report: RankReport): void {
    if (report.kind === 'started') this.#listener.started();
    else if (report.kind === 'result') this.#result = report.value;
    else this.#events.onOutput?.(report.text, this.#rank, report.stream);
  }

  #exited(exitCode: number): void {
    // The last reports may still lie in the channel when the thread is already gone.
    for (;;) {
      const last = receiveMessageOnPort(this.#reports);
      if (last === undefined) break;
      this.#receive(last.message);
    }
    this.#reports.close();
    this.#events.onExit?.(this.#rank, exitCode);
    this.#listener.ended({ exitCode, error: this.#error, result: this.#result });
  }
}
