/** One rank's process on this host, from its start to its end, with its last output. */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Duplex } from 'node:stream';
import { entryOf } from '../common/entry.js';
import { lastLines, TAIL_LENGTH } from '../common/tail.js';
import { failureStatus } from '../world/signals.js';
import type { LaunchPlan } from './options.js';

/** First module of every rank. */
const SETUP = entryOf('processes/rank-setup.js').href;

export interface ChildEvents {
  /** The process has ended and all its output was read. `error`: it never started. */
  closed(code: number | null, signal: NodeJS.Signals | null, error: string | null): void;
  /** The caller's `onOutput` threw. */
  outputFailed(error: unknown): void;
}

export class Child {
  /** The error that the rank threw, as Node prints it; '' when there is none, or not yet. */
  thrown = '';
  readonly #process: ChildProcess;
  readonly #rank: number;
  readonly #onOutput: LaunchPlan['onOutput'];
  readonly #events: ChildEvents;
  #tail = Buffer.alloc(0);
  #ending = false;
  #settled = false;

  /** @throws the error of the caller's `prefix`, and TypeError for words that are not strings */
  constructor(
    plan: LaunchPlan,
    rank: number,
    local: number,
    env: NodeJS.ProcessEnv,
    events: ChildEvents,
  ) {
    const { script, args, execArgv, prefix } = plan;
    const node = [process.execPath, ...execArgv, '--import', SETUP];
    const command = [...prefix(local), ...node, script, ...args];
    this.#rank = rank;
    this.#onOutput = plan.onOutput;
    this.#events = events;
    this.#process = spawn(command[0], command.slice(1), {
      env,
      // A session of its own: Ctrl-C is for the launcher, and the rank's own processes end with it.
      detached: true,
      // Descriptor 3 is the rank's PMI channel.
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.#listen();
    for (const stream of ['stdout', 'stderr'] as const) this.#follow(stream);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Null for a process that could not be started. */
  get channel(): Duplex | null {
    return (this.#process.stdio?.[3] as Duplex | undefined) ?? null;
  }

  /** The last lines that the rank wrote. */
  get tail(): string {
    // A character that was cut is left out.
    const start = this.#tail.findIndex((byte) => (byte & 0xc0) !== 0x80);
    return lastLines(this.#tail.subarray(Math.max(0, start)).toString());
  }

  /** Sends `signal` to the rank and to all processes that it has started. */
  kill(signal: NodeJS.Signals): void {
    this.#ending = true;
    for (const stream of ['stdout', 'stderr'] as const) this.#process[stream]?.resume();
    try {
      if (this.pid === undefined) return;
      process.kill(-this.pid, signal);
      // A rank that was stopped would not get it.
      process.kill(-this.pid, 'SIGCONT');
    } catch {
      // All of them have ended.
    }
  }

  #listen(): void {
    const once: ChildEvents['closed'] = (...how) => {
      if (!this.#settled) this.#events.closed(...how);
      this.#settled = true;
    };
    this.#process.once('error', (error) => once(null, null, error.message));
    this.#process.once('exit', (code) => {
      // Processes that it has started would hold its pipes open, and outlive the world.
      if (code !== 0) this.kill('SIGKILL');
    });
    // Not 'exit': the rank's last line of PMI may not have been read by then.
    this.#process.once('close', (code, signal) => once(code, signal, null));
  }

  #follow(name: 'stdout' | 'stderr'): void {
    const stream = this.#process[name];
    stream?.on('data', (bytes: Buffer) => {
      this.#tail = Buffer.concat([this.#tail, bytes]).subarray(-TAIL_LENGTH);
      const slow = this.#passOn(name, bytes);
      if (slow === null || this.#ending) return;
      stream.pause();
      void slow.then(() => stream.resume());
    });
  }

  /** @returns null when the rank may go on at once; never rejects */
  #passOn(name: 'stdout' | 'stderr', bytes: Buffer): Promise<void> | null {
    try {
      const slow = this.#onOutput(this.#rank, name, bytes);
      if (!(slow instanceof Promise)) return null;
      return slow.catch((error: unknown) => this.#events.outputFailed(error));
    } catch (error) {
      this.#events.outputFailed(error);
      return null;
    }
  }
}

/** Returns a process's exit code as shells count it: 128 plus its number for an ending signal. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return failureStatus(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
}
