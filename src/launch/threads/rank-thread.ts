/** One rank's thread, as the launcher sees it. */

import {
  MessageChannel,
  type MessagePort,
  type ResourceLimits,
  receiveMessageOnPort,
  type Transferable,
  Worker,
} from 'node:worker_threads';
import type { ThreadWorldHandle } from '../../group/thread/world.js';
import type { OutputStream, RankData, RankPlan, RankReport } from './protocol.js';

/** What a launcher may listen to; each gets the world rank that it comes from. */
export interface RankEvents {
  /** The script posted `message` to its `parentPort`. */
  onMessage?: ((message: unknown, rank: number) => void) | undefined;
  /** The rank wrote `text`. */
  onOutput?: ((text: string, rank: number, stream: OutputStream) => void) | undefined;
  /** The rank's thread has ended. */
  onExit?: ((rank: number, exitCode: number) => void) | undefined;
}

export interface RankThreadOptions {
  handle: ThreadWorldHandle;
  plan: Omit<RankPlan, 'reports'>;
  args: readonly string[];
  resourceLimits: ResourceLimits | undefined;
  events: RankEvents;
  /** The script starts now. */
  onStarted: () => void;
  /** The thread has ended; `exitCode`, `error` and `result` are set. */
  onEnded: (thread: RankThread) => void;
}

// From source (tests, examples) the threads run the build, for Node cannot read this folder.
const ENTRY = import.meta.url.endsWith('.ts')
  ? '../../../dist/launch/threads/rank.js'
  : './rank.js';

export class RankThread {
  readonly rank: number;
  started = false;
  /** Null while the thread runs. */
  exitCode: number | null = null;
  /** What the script threw and nobody caught; undefined when nothing. */
  error: unknown;
  /** What the script's `main` returned. */
  result: unknown;
  readonly #options: RankThreadOptions;
  readonly #worker: Worker;
  readonly #reports: MessagePort;

  /** Starts the thread. @throws DataCloneError when the plan's data cannot be copied to it */
  constructor(options: RankThreadOptions) {
    this.#options = options;
    this.rank = options.handle.rank;
    const { port1, port2 } = new MessageChannel();
    this.#reports = port1;
    const data: RankData = { syncbn: options.handle, launch: { ...options.plan, reports: port2 } };
    this.#worker = new Worker(new URL(ENTRY, import.meta.url), {
      workerData: data,
      transferList: [port2],
      argv: [...options.args],
      name: `rank ${this.rank}`,
      ...(options.resourceLimits && { resourceLimits: options.resourceLimits }),
    });
    this.#listen();
  }

  post(message: unknown, transferList?: readonly Transferable[]): void {
    this.#worker.postMessage(message, transferList);
  }

  /** Ends the thread at once, also out of a blocking wait or an endless loop. */
  end(): void {
    void this.#worker.terminate();
  }

  #listen(): void {
    const { events } = this.#options;
    this.#reports.on('message', (report: RankReport) => this.#receive(report));
    this.#worker.on('message', (message) => events.onMessage?.(message, this.rank));
    this.#worker.on('error', (error) => {
      this.error = error;
    });
    this.#worker.on('exit', (exitCode) => this.#exited(exitCode));
  }

  #receive(report: RankReport): void {
    if (report.kind === 'result') this.result = report.value;
    if (report.kind === 'output') {
      this.#options.events.onOutput?.(report.text, this.rank, report.stream);
    }
    if (report.kind === 'started') {
      this.started = true;
      this.#options.onStarted();
    }
  }

  #exited(exitCode: number): void {
    // The last reports may still lie in the channel when the thread is already gone.
    for (;;) {
      const last = receiveMessageOnPort(this.#reports);
      if (last === undefined) break;
      this.#receive(last.message);
    }
    this.#reports.close();
    this.exitCode = exitCode;
    this.#options.events.onExit?.(this.rank, exitCode);
    this.#options.onEnded(this);
  }
}
