/** Runs the world of one `syncrun` in this process, to the exit status. */

import { pathToFileURL } from 'node:url';
import { RECORDER_VARIABLE } from '../../group/rounds/recorder.js';
import { say } from '../common/write-all.js';
import { threadStarter } from '../threads/rank-thread.js';
import { type RankFailure, Ranks, type WorldEnd } from '../world/ranks.js';
import { type EndSignal, statusOf } from '../world/signals.js';
import { dieBy, EndSignals } from './end-signals.js';
import { failureReport, type Thrown } from './failure-report.js';
import { Logs } from './logs.js';
import type { Settings } from './options/settings.js';
import type { PreparedWorld } from './prepare.js';
import { RankConsole } from './rank-console.js';

/**
 * Starts the ranks, waits for them, and reports on standard error which one failed.
 * @param onStarted called when every rank runs its script
 * @returns the exit status
 */
export async function runThreads(world: PreparedWorld, onStarted: () => void): Promise<number> {
  const { settings } = world;
  const run = new ThreadRun(settings);
  const ranks = new Ranks({
    size: settings.workerNum,
    startRank: run.starter(world),
    ...{ timeout: undefined, startTimeout: settings.clusterTimeOut },
    ...{ grace: settings.grace, onStarted },
  });
  const signals = new EndSignals((signal) => ranks.interrupt(signal, settings.grace));
  process.on('SIGUSR2', () => run.askForRecords());
  const end = await ranks.end;
  return run.conclude(end, signals.received);
}

class ThreadRun {
  readonly #logs: Logs;
  readonly #console: RankConsole;
  readonly #thrown: Thrown[] = [];

  constructor(settings: Settings) {
    this.#logs = new Logs(settings);
    this.#console = new RankConsole(settings);
  }

  starter({ settings, tsx }: PreparedWorld) {
    const { script, args, workerNum } = settings;
    return threadStarter({
      ...{ script: pathToFileURL(script), program: true, tsx, args, size: workerNum },
      env: { [RECORDER_VARIABLE]: this.#logs.recordPath },
      logOf: (rank) => this.#logs.path(rank),
      ...(this.#console.listens && { onBytes: (...written) => this.#console.write(...written) }),
      onStart: (rank) => this.#console.started(rank),
      onExit: (rank) => this.#console.ended(rank),
      onThrown: (rank, text, because) => this.#thrown.push({ rank, text, because }),
      onLogLost: (rank, why) => this.#logs.lost(rank, why),
    });
  }

  askForRecords(): void {
    this.#logs.askForRecords();
  }

  /** @returns the exit status */
  async conclude(end: WorldEnd, signal: EndSignal | null): Promise<number> {
    if (signal !== null) return this.#endedBy(signal, end);
    await this.#console.close();
    if (end.failure !== null) say(this.#report(end.failure));
    if (end.stuck.length > 0) abandon(end.stuck);
    return end.failure?.exitCode ?? 0;
  }

  #endedBy(signal: EndSignal, { results, stuck }: WorldEnd): number {
    this.#console.leave();
    for (const rank of results.keys()) this.#logs.append(rank, `syncrun: ended by ${signal}\n`);
    if (stuck.length > 0) dieBy(signal);
    // A user who interrupts does not wait for a console that stands still.
    return statusOf(signal);
  }

  #report({ rank, text }: RankFailure): string {
    // A rank that ran out of memory, or was ended, could not say so itself.
    const said = this.#thrown.some((thrown) => thrown.rank === rank);
    if (!said) this.#logs.append(rank, `${text}\n`);
    const log = { path: this.#logs.path(rank), tail: this.#logs.tail(rank) };
    const shown = this.#console.shows(rank);
    return failureReport(text, rank, this.#thrown, { ...log, shown }) + this.#logs.recordHint;
  }
}

/** Node cannot exit while a thread is inside native code: it waits for the thread. */
function abandon(stuck: readonly number[]): void {
  say(
    `syncrun: rank ${stuck.join(', ')} is in native code and does not end; killing the process\n`,
  );
  process.kill(process.pid, 'SIGKILL');
}
