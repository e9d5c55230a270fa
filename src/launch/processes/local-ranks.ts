/** The ranks of this host: processes, their PMI sessions, and the barrier among them. */

import { hostname } from 'node:os';
import { describeError } from '../../core/errors.js';
import { startTimer, type Timer } from '../../core/timer.js';
import { rankVariables } from '../common/rank-variables.js';
import { Child, exitCodeOf } from './child.js';
import { type Failure, failure } from './errors.js';
import { InitWatch } from './init-watch.js';
import type { Formation, Keys } from './messages.js';
import type { LaunchPlan } from './options.js';
import { type PmiHost, PmiSession } from './pmi.js';
import { sharedMemoryHint } from './shared-memory.js';

/** Milliseconds in which a rank that aborts the world may end, so that its output is complete. */
const LAST_WORDS_MS = 500;
/** Variables that ranks must not inherit: those of other launchers, and the secret. */
const FOREIGN = /^(OMPI_|PMIX_|PMI_|PRTE_|HYDI_|MPI_LOCAL|SLURM_(PROCID|STEP_.*)$|SYNCBN_SECRET$)/;

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
  readonly #children = new Map<number, Child>();
  readonly #sessions = new Map<number, PmiSession>();
  readonly #waiting = new Set<number>();
  /** Exit codes of the ranks that called MPI_Abort. */
  readonly #aborted = new Map<number, number>();
  readonly #known = new Map<string, string>();
  readonly #news = new Map<string, string>();
  #ended = 0;
  #killed = false;
  /** Runs from the first rank's arrival at the first barrier to the arrival of all; null: over. */
  #joinTimer: Timer | null;
  readonly #watch: InitWatch;
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
    const pidOf = (rank: number) => this.#children.get(rank)?.pid;
    this.#watch = new InitWatch(plan.clusterTimeOut, pidOf, (rank, how) =>
      this.#fail(rank, how, 1, this.#children.get(rank)),
    );
  }

  start(): void {
    for (let local = 0; local < this.#count && !this.#killed; local++) this.#spawn(local);
  }

  /** True while all ranks here are in the barrier. */
  get allWait(): boolean {
    return this.#waiting.size === this.#count;
  }

  /** True once all ranks here have ended well. */
  get allEnded(): boolean {
    return this.#ended === this.#count;
  }

  /** Lets the ranks go on after the barrier, with the keys of all hosts. */
  release(keys: Keys): void {
    this.#stopTimer();
    for (const [key, value] of keys) this.#known.set(key, value);
    const ranks = [...this.#waiting];
    this.#waiting.clear();
    for (const rank of ranks) this.#sessions.get(rank)?.release();
    this.#watch.start();
  }

  /** Asks all ranks here to end, and kills the remaining ones after the grace; resolves then. */
  kill(signal: NodeJS.Signals): Promise<void> {
    this.#stopTimer();
    this.#watch.stop();
    this.#killed = true;
    if (this.#children.size === 0) return Promise.resolve();
    for (const child of this.#children.values()) child.kill(signal);
    const timer = startTimer(this.#plan.grace, () => {
      for (const child of this.#children.values()) child.kill('SIGKILL');
    });
    return new Promise((resolve) => {
      this.#onAllClosed = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  put(key: string, value: string): void {
    this.#known.set(key, value);
    this.#news.set(key, value);
  }

  get(key: string): string | undefined {
    return this.#known.get(key);
  }

  barrier(rank: number): void {
    this.#waiting.add(rank);
    if (this.#joinTimer === undefined) {
      this.#joinTimer = startTimer(this.#plan.clusterTimeOut, () => this.#missRanks());
    }
    if (this.#ended > 0) this.#failBarrier();
    if (this.#waiting.size < this.#count) return;
    const keys = [...this.#news];
    this.#news.clear();
    this.#events.barrier(keys);
  }

  initializing(rank: number, isInside: boolean): void {
    if (isInside) this.#watch.enter(rank);
    else this.#watch.leave(rank);
  }

  abort(rank: number, exitCode: number): void {
    if (this.#aborted.has(rank)) return;
    this.#aborted.set(rank, exitCode);
    // It ends now; by then its last words have been read.
    const fail = () => this.#failAborted(rank, exitCode, this.#children.get(rank));
    setTimeout(fail, LAST_WORDS_MS).unref();
  }

  garbled(rank: number, line: string): void {
    const how = `sent its launcher a garbled line: ${JSON.stringify(line)}`;
    this.#fail(rank, how, 1, this.#children.get(rank));
  }

  thrown(rank: number, text: string, because: boolean): void {
    const child = this.#children.get(rank);
    if (child !== undefined) child.thrown = text;
    this.#plan.onThrown(rank, text, because);
  }

  #spawn(local: number): void {
    const rank = this.#first + local;
    const env = this.#environment(rank, local);
    try {
      const child = new Child(this.#plan, rank, local, env, {
        closed: (...how) => this.#close(rank, ...how),
        outputFailed: (error) => this.#callbackFailed('onOutput', rank, error),
      });
      this.#children.set(rank, child);
      const { channel, pid } = child;
      if (channel !== null) this.#sessions.set(rank, new PmiSession(rank, channel, this));
      if (pid !== undefined) this.#plan.onStart(rank, pid);
    } catch (error) {
      this.#callbackFailed(this.#children.has(rank) ? 'onStart' : 'its start', rank, error);
    }
  }

  /** A mistake in a callback ends the launch, and not the program that launches. */
  #callbackFailed(where: string, rank: number, cause: unknown): void {
    const text = `rank ${rank} on host ${hostname()}: ${where} failed: ${describeError(cause)}`;
    this.#events.failed({ ...failure(text), cause });
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
      ...rankVariables(rank, this.size, local, this.#count),
    };
  }

  #close(
    rank: number,
    code: number | null,
    signal: NodeJS.Signals | null,
    error: string | null,
  ): void {
    const child = this.#children.get(rank);
    this.#children.delete(rank);
    this.#plan.onEnd(rank);
    if (this.#children.size === 0) this.#onAllClosed();
    const aborted = this.#aborted.get(rank);
    if (aborted !== undefined) this.#failAborted(rank, aborted, child);
    else if (code !== 0) {
      const how = signal === null ? `failed with exit code ${code}` : `ended by ${signal}`;
      const text = error === null ? how : `could not be started: ${error}`;
      this.#fail(rank, text, error === null ? exitCodeOf(code, signal) : 1, child);
    } else this.#ends();
  }

  #stopTimer(): void {
    clearTimeout(this.#joinTimer ?? undefined);
    this.#joinTimer = null;
  }

  /** Ranks here that never call init keep other ranks waiting; the hub sees those of other hosts. */
  #missRanks(): void {
    const late = [...this.#children.keys()].find((rank) => !this.#waiting.has(rank));
    if (late === undefined) return;
    const waiting = `rank ${[...this.#waiting].join(', ')} has waited ${this.#plan.clusterTimeOut} s for it`;
    const how = `has not joined the world, and ${waiting}`;
    this.#fail(late, how, 1, this.#children.get(late));
  }

  #ends(): void {
    this.#ended++;
    if (this.#ended === this.#count) this.#events.done();
    else if (this.#waiting.size > 0) this.#failBarrier();
  }

  #failAborted(rank: number, exitCode: number, child: Child | undefined): void {
    this.#fail(rank, `failed with exit code ${exitCode}`, exitCode, child);
  }

  #fail(rank: number, how: string, exitCode: number, child: Child | undefined): void {
    const output = child?.tail ?? '';
    const hint = sharedMemoryHint(output, this.#count);
    const text = `rank ${rank} on host ${hostname()} ${how}${hint}`;
    this.#events.failed({ text, exitCode, rank, output });
  }

  /** A rank that has ended cannot enter the barrier that other ranks are in. */
  #failBarrier(): void {
    const local = Array.from({ length: this.#count }, (_, i) => this.#first + i);
    const ended = local.filter((rank) => !this.#children.has(rank));
    const waiting = [...this.#waiting].join(', ');
    this.#fail(
      ended[0],
      `ended before joining the world, which rank ${waiting} waits for`,
      1,
      undefined,
    );
  }
}

/** The ranks that share a host, in PMI's words: (first host, hosts, ranks on each) by host. */
function mappingOf(nodes: readonly number[]): string {
  return `(vector,${nodes.map((count, node) => `(${node},1,${count})`).join(',')})`;
}
