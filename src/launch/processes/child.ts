/** One rank's process on this host, from its start to its end, with what it last said. */

import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Duplex, Readable } from 'node:stream';
import { entryOf } from '../entry.js';
import { lastLines, TAIL_LENGTH } from '../tail.js';
import type { LaunchPlan } from './options.js';

/** First module of every rank. Not left to init: a rank may be busy for a while before it calls it. */
const FOLLOW = entryOf('processes/follow.js').href;

export interface ChildEvents {
  /** The process has ended and all that it wrote was read. `error`: it never started. */
  closed(code: number | null, signal: NodeJS.Signals | null, error: string | null): void;
}

export class Child {
  readonly #process: ChildProcess;
  readonly #rank: number;
  readonly #onOutput: LaunchPlan['onOutput'];
  #tail = '';
  #ending = false;
  #settled = false;

  constructor(plan: LaunchPlan, rank: number, local: number, env: NodeJS.ProcessEnv) {
    const { script, args, execArgv, prefix } = plan;
    const node = [process.execPath, ...execArgv, '--import', FOLLOW];
    const command = [...prefix(local), ...node, script, ...args];
    this.#rank = rank;
    this.#onOutput = plan.onOutput;
    this.#process = spawn(command[0], command.slice(1), {
      env,
      // A session of its own: Ctrl-C is for the launcher, and what the rank starts ends with it.
      detached: true,
      // Descriptor 3 is the rank's PMI channel.
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    for (const stream of ['stdout', 'stderr'] as const) this.#follow(stream);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get channel(): Duplex {
    return this.#process.stdio[3] as Duplex;
  }

  /** The last lines that the rank wrote. */
  get tail(): string {
    return lastLines(this.#tail);
  }

  listen({ closed }: ChildEvents): void {
    const once: ChildEvents['closed'] = (...how) => {
      if (!this.#settled) closed(...how);
      this.#settled = true;
    };
    this.#process.once('error', (error) => once(null, null, error.message));
    this.#process.once('exit', (code) => {
      // What it has started would hold its pipes open, and outlive the world.
      if (code !== 0) this.kill('SIGKILL');
    });
    // Not 'exit': the rank's last line of PMI may not have been read by then.
    this.#process.once('close', (code, signal) => once(code, signal, null));
  }

  /** Sends `signal` to the rank and whatever it has started. */
  kill(signal: NodeJS.Signals): void {
    this.#ending = true;
    for (const stream of ['stdout', 'stderr'] as const) this.#process[stream]?.resume();
    try {
      if (this.pid !== undefined) process.kill(-this.pid, signal);
    } catch {
      // All of them have ended.
    }
  }

  #follow(name: 'stdout' | 'stderr'): void {
    const stream = this.#process[name] as Readable;
    stream.on('data', (bytes: Buffer) => {
      this.#tail = (this.#tail + bytes).slice(-TAIL_LENGTH);
      const slow = this.#onOutput(this.#rank, name, bytes);
      if (!(slow instanceof Promise) || this.#ending) return;
      stream.pause();
      void slow.finally(() => stream.resume());
    });
  }
}

/** Exit code of a process as shells count it: 128 and the signal's number for one that was ended. */
export function exitCodeOf(code: number | null, signal: NodeJS.Signals | null): number {
  return code ?? 128 + (signal === null ? 0 : constants.signals[signal]);
}
