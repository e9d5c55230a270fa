/** The ranks of this host: processes, their PMI sessions, and the barrier among them. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { type Failure, failure } from './errors.js';
import type { Formation, Keys } from './messages.js';
import type { LaunchPlan } from './options.js';
import { type PmiHost, PmiSession } from './pmi.js';

/** Milliseconds between asking ranks to end and killing them. */
const MERCY_MS = 1000;
/** Variables of other launchers, which would mislead the ranks. */
const FOREIGN = /^(OMPI_|PMIX_|PMI_|PRTE_|HYDI_|MPI_LOCAL)/;

export interface LocalEvents {
  /** All ranks here have entered the barrier. */
  barrier(keys: Keys): void;
  /** All ranks here have ended with exit code 0. */
  done(): void;
  failed(reason: Failure): void;
}

export class LocalRanks implements PmiHost {
  readonly size: number;
  readonly #plan: LaunchPlan;
  readonly #first: number;
  readonly #count: number;
  readonly #formation: Formation;
  readonly #events: LocalEvents;
  readonly #children = new Map<number, ChildProcess>();
  readonly #sessions = new Map<number, PmiSession>();
  readonly #waiting = new Set<number>();
  readonly #known = new Map<string, string>();
  #news: Record<string, string> = {};
  #ended = 0;
  #onAllClosed: () => void = () => {};

  constructor(plan: LaunchPlan, formation: Formation, events: LocalEvents) {
    this.#plan = plan;
    this.#formation = formation;
    this.#events = events;
    const { nodes, nodeRank } = formation;
    this.size = plan.workerNum;
    this.#first = nodes.slice(0, nodeRank).reduce((sum, count) => sum + count, 0);
    this.#count = nodes[nodeRank];
    this.#known.set('PMI_process_mapping', mappingOf(nodes));
  }

  start(): void {
    for (let local = 0; local < this.#count; local++) this.#spawn(local);
  }

  /** Lets the ranks go on after the barrier, with the keys of all hosts. */
  release(keys: Keys): void {
    for (const [key, value] of Object.entries(keys)) this.#known.set(key, value);
    const ranks = [...this.#waiting];
    this.#waiting.clear();
    for (const rank of ranks) this.#sessions.get(rank)?.release();
  }

  /** Ends all ranks here. @returns when none is left */
  kill(): Promise<void> {
    if (this.#children.size === 0) return Promise.resolve();
    for (const child of this.#children.values()) child.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const child of this.#children.values()) child.kill('SIGKILL');
    }, MERCY_MS);
    return new Promise((resolve) => {
      this.#onAllClosed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  put(key: string, value: string): void {
    this.#known.set(key, value);
    this.#news[key] = value;
  }

  get(key: string): string | undefined {
    return this.#known.get(key);
  }

  barrier(rank: number): void {
    this.#waiting.add(rank);
    if (this.#ended > 0) this.#failBarrier();
    if (this.#waiting.size < this.#count) return;
    const keys = this.#news;
    this.#news = {};
    this.#events.barrier(keys);
  }

  abort(rank: number, exitCode: number): void {
    const text = `launch: rank ${rank} aborted the world with exit code ${exitCode}`;
    this.#events.failed(failure(text, rank, exitCode));
  }

  garbled(rank: number, line: string): void {
    const text = `launch: rank ${rank} sent its launcher a garbled line: ${JSON.stringify(line)}`;
    this.#events.failed(failure(text, rank));
  }

  #spawn(local: number): void {
    const { script, args, execArgv, onOutput, onStart } = this.#plan;
    const rank = this.#first + local;
    const child = spawn(process.execPath, [...execArgv, script, ...args], {
      env: this.#environment(rank, local),
      // Descriptor 3 is the rank's PMI channel.
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    });
    this.#children.set(rank, child);
    child.stdout?.on('data', (bytes: Buffer) => onOutput(rank, 'stdout', bytes));
    child.stderr?.on('data', (bytes: Buffer) => onOutput(rank, 'stderr', bytes));
    child.once('error', (error) => this.#close(rank, null, error.message));
    // Not 'exit': the rank's last line of PMI may not have been read by then.
    child.once('close', (code, signal) => this.#close(rank, code, signal));
    this.#sessions.set(rank, new PmiSession(rank, child.stdio[3] as Duplex, this));
    if (child.pid !== undefined) onStart(rank, child.pid);
  }

  #environment(rank: number, local: number): NodeJS.ProcessEnv {
    const inherited = Object.entries(process.env).filter(([name]) => !FOREIGN.test(name));
    return {
      ...Object.fromEntries(inherited),
      ...this.#plan.env,
      PMI_FD: '3',
      PMI_RANK: String(rank),
      PMI_SIZE: String(this.size),
      MPI_LOCALNRANKS: String(this.#count),
      MPI_LOCALRANKID: String(local),
      SYNCBN_LAUNCHER: 'syncrun',
      SYNCBN_LAUNCHER_PID: String(process.pid),
      SYNCBN_HOSTS: String(this.#formation.nodes.length),
      SYNCBN_NODE_RANK: String(this.#formation.nodeRank),
    };
  }

  #close(rank: number, code: number | null, signal: string | null): void {
    if (!this.#children.delete(rank)) return;
    if (this.#children.size === 0) this.#onAllClosed();
    if (code !== 0) {
      const how = code === null ? `ended by ${signal}` : `failed with exit code ${code}`;
      this.#events.failed(failure(`launch: rank ${rank} ${how}`, rank, code ?? 1));
      return;
    }
    this.#ended++;
    if (this.#ended === this.#count) this.#events.done();
    else if (this.#waiting.size > 0) this.#failBarrier();
  }

  /** A rank that has ended cannot enter the barrier that others are in. */
  #failBarrier(): void {
    const local = Array.from({ length: this.#count }, (_, i) => this.#first + i);
    const ended = local.filter((rank) => !this.#children.has(rank));
    const text = `launch: rank ${ended.join(', ')} ended before joining the world, which rank ${[...this.#waiting].join(', ')} waits for`;
    this.#events.failed(failure(text, ended[0]));
  }
}

/** Which ranks share a host, in PMI's words: (first host, hosts, ranks on each) for each host. */
function mappingOf(nodes: readonly number[]): string {
  return `(vector,${nodes.map((count, node) => `(${node},1,${count})`).join(',')})`;
}
