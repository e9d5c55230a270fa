/** One rank as a thread of Node, Deno or Bun. */

import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  type Transferable,
  Worker,
  type WorkerOptions,
} from 'node:worker_threads';
import type { ThreadWorldHandle } from '../../group/thread/world.js';
import { entryOf } from '../common/entry.js';
import { rankVariables } from '../common/rank-variables.js';
import type { RankListener, RunningRank, StartRank } from '../world/rank.js';
import type { OutputStream, ResourceLimits } from './events.js';
import { BOARD, hearingBit, type RankData, type RankReport, type RankRequest } from './protocol.js';
import type { Tsx } from './typescript.js';

/** Events of the threads of a world; each gets the world rank that it comes from. */
export interface ThreadEvents {
  /** The rank's script starts. */
  onStart?: ((rank: number) => void) | undefined;
  /** The script posted `message` to its `parentPort`. */
  onMessage?: ((message: unknown, rank: number) => void) | undefined;
  /** The rank wrote; it is held back while a promise that this returns is pending. */
  onBytes?:
    | ((rank: number, stream: OutputStream, bytes: Uint8Array) => Promise<void> | undefined)
    | undefined;
  /** Its log cannot be written to any more; `text` says why. */
  onLogLost?: ((rank: number, text: string) => void) | undefined;
  /** An error that nobody caught. `because`: thrown only because another rank had failed. */
  onThrown?: ((rank: number, text: string, because: boolean) => void) | undefined;
  onExit?: ((rank: number, exitCode: number) => void) | undefined;
}

export interface RankThreadOptions extends ThreadEvents {
  script: URL;
  /** True: runs as `node script` would. False: as a module whose exported `main` is called. */
  program: boolean;
  /** Modules that make Node read TypeScript; null if it can, or need not. */
  tsx: Tsx | null;
  args: readonly string[];
  /** Ranks in all. */
  size: number;
  /** Argument of `main`. */
  dataOf?: (rank: number) => unknown;
  /** Variables of the ranks besides this process's own. */
  env?: Readonly<Record<string, string>>;
  /** Path of the rank's log; default: no log. */
  logOf?: (rank: number) => string;
  resourceLimits?: ResourceLimits | undefined;
}

/** Starts ranks as threads, all of which run the same script. */
export function threadStarter(options: RankThreadOptions): StartRank {
  return (handle, listener) => new RankThread(handle, listener, options);
}

const SETUP = entryOf('threads/rank.js');
const MAIN = entryOf('threads/rank-main.js');

/** False on Deno and Bun, whose threads begin with no module before the script. */
const BEGINS_WITH_SETUP = !('bun' in process.versions) && !('deno' in process.versions);

/**
 * Starts a thread with the script itself as its main module when Node allows that: `require.main`,
 * `import.meta.main` and errors of syntax are then as in a program.
 */
function startWorker(script: URL, program: boolean, options: WorkerOptions): Worker {
  if (!program || !BEGINS_WITH_SETUP) return new Worker(MAIN, options);
  const start = (flags: readonly string[]) =>
    new Worker(script, { ...options, execArgv: [...flags, '--import', SETUP.href] });
  try {
    return start(process.execArgv);
  } catch (error) {
    // A thread does not take flags of V8 and of the whole process, and has them anyway.
    const refused = (error as Error).message;
    return start(process.execArgv.filter((flag) => !refused.includes(flag)));
  }
}

class RankThread implements RunningRank {
  readonly #rank: number;
  readonly #listener: RankListener;
  readonly #events: ThreadEvents;
  readonly #worker: Worker;
  readonly #reports: MessagePort;
  readonly #board = new Int32Array(
    new SharedArrayBuffer(BOARD.words * Int32Array.BYTES_PER_ELEMENT),
  );
  #threw = false;
  #error: unknown;
  #result: unknown;

  constructor(handle: ThreadWorldHandle, listener: RankListener, options: RankThreadOptions) {
    const { script, program, tsx, args, size, dataOf, logOf, onBytes, resourceLimits } = options;
    const { rank } = handle;
    this.#rank = rank;
    this.#listener = listener;
    this.#events = options;
    const { port1, port2 } = new MessageChannel();
    this.#reports = port1;
    const data: RankData = {
      syncbn: handle,
      launch: {
        ...{ script: script.href, program, tsx, board: this.#board, reports: port2 },
        data: dataOf?.(rank),
        log: logOf?.(rank) ?? null,
        sendsOutput: onBytes !== undefined,
      },
    };
    this.#worker = startWorker(script, program, {
      workerData: data,
      transferList: [port2],
      argv: [...args],
      env: { ...process.env, ...rankVariables(rank, size, rank, size), ...options.env },
      name: `rank ${rank}`,
      ...(resourceLimits && { resourceLimits }),
    });
    this.#listen();
  }

  post(message: unknown, transferList?: readonly unknown[]): void {
    this.#worker.postMessage(message, transferList as readonly Transferable[]);
  }

  ask(signal: string): boolean {
    const heard = hearingBit(signal) | hearingBit('exit');
    if ((Atomics.load(this.#board, BOARD.hearing) & heard) === 0) return false;
    const request: RankRequest = { signal };
    this.#reports.postMessage(request);
    return true;
  }

  end(): void {
    void this.#worker.terminate();
  }

  #listen(): void {
    this.#reports.on('message', (report: RankReport) => this.#receive(report));
    this.#worker.on('message', (message) => this.#events.onMessage?.(message, this.#rank));
    this.#worker.on('error', (error) => {
      this.#threw = true;
      this.#error = error;
    });
    this.#worker.on('exit', (exitCode) => this.#exited(exitCode));
  }

  #receive(report: RankReport): void {
    const rank = this.#rank;
    if (report.kind === 'started') this.#started();
    else if (report.kind === 'joined') this.#listener.joined();
    else if (report.kind === 'result') this.#result = report.value;
    else if (report.kind === 'log') this.#events.onLogLost?.(rank, report.text);
    else if (report.kind === 'thrown') this.#events.onThrown?.(rank, report.text, report.because);
    else this.#passOn(report.stream, report.bytes);
  }

  #started(): void {
    this.#listener.started();
    this.#events.onStart?.(this.#rank);
  }

  #passOn(stream: OutputStream, bytes: Uint8Array): void {
    const slow = this.#events.onBytes?.(this.#rank, stream, bytes);
    if (slow === undefined) this.#passedOn(bytes.length);
    else void slow.finally(() => this.#passedOn(bytes.length));
  }

  #passedOn(bytes: number): void {
    Atomics.sub(this.#board, BOARD.pending, bytes);
    Atomics.notify(this.#board, BOARD.pending);
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
    const how = { threw: this.#threw, error: this.#error };
    this.#listener.ended({ exitCode, ...how, result: this.#result });
  }
}
