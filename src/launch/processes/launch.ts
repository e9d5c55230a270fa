/** Starts a world of processes: on this host alone, or as this host's part of several. */

import { hostname } from 'node:os';
import { basename } from 'node:path';
import { escapeControls, escapeLine } from '../common/foreign-text.js';
import { END_SIGNALS, type EndSignal, statusOf } from '../world/signals.js';
import { type Failure, failure, LaunchError } from './errors.js';
import { LocalRanks } from './local-ranks.js';
import type { Channel, Formation, Keys, Message } from './messages.js';
import { type LaunchPlan, type ProcessLaunchOptions, planOf } from './options.js';
import { openChannel } from './rendezvous.js';

/**
 * Runs `script` as processes that join one world over MPICH, on this host and on the other hosts
 * that run the same command. Ends when all ranks of all hosts have ended.
 * @throws LaunchError with the first failure of any host, the same on all; no rank is left then
 * @throws TypeError, RangeError for wrong options
 */
export async function launchProcesses(options: ProcessLaunchOptions): Promise<void> {
  const failed = await runHost(planOf(options));
  if (failed !== null) throw new LaunchError(failed);
}

/** {@link launchProcesses} with options that are checked. @returns the failure, or null for none */
export async function runHost(plan: LaunchPlan): Promise<Failure | null> {
  const part = new HostPart(plan);
  const interrupt = () => part.interrupt(endSignalOf(plan.signal?.reason));
  plan.signal?.addEventListener('abort', interrupt);
  try {
    if (plan.signal?.aborted) interrupt();
    return await part.run();
  } finally {
    plan.signal?.removeEventListener('abort', interrupt);
  }
}

/** An AbortSignal's reason may name the signal that ranks get. */
function endSignalOf(reason: unknown): EndSignal {
  const known = typeof reason === 'string' && Object.hasOwn(END_SIGNALS, reason);
  return known ? (reason as EndSignal) : 'SIGTERM';
}

class HostPart {
  readonly #plan: LaunchPlan;
  #channel: Channel | null = null;
  #ranks: LocalRanks | null = null;
  #formation: Formation | null = null;
  #failure: Failure | null = null;
  /** The signal that asks the ranks to end. */
  #signal: EndSignal = 'SIGTERM';
  #end: () => void = () => {};
  readonly #ended: Promise<void>;

  constructor(plan: LaunchPlan) {
    this.#plan = plan;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  async run(): Promise<Failure | null> {
    const lost = (why: string) => this.#learn(failure(`lost the host with node rank 0: ${why}`));
    let channel: Channel;
    try {
      channel = await openChannel(this.#plan, { receive: (m) => this.#receive(m), lost });
    } catch (error) {
      if (error instanceof LaunchError) return error;
      throw error;
    }
    this.#channel = channel;
    if (this.#failure === null) this.#join(channel);
    await this.#ended;
    await this.#ranks?.kill(this.#signal);
    await channel.close();
    return this.#failure;
  }

  interrupt(signal: EndSignal): void {
    if (this.#failure !== null) return;
    this.#signal = signal;
    const nodeRank = this.#formation?.nodeRank ?? this.#plan.nodeRank;
    const text = `interrupted on host ${hostname()}, node rank ${nodeRank}`;
    this.#fail(failure(text, statusOf('SIGINT')));
  }

  /** Fails this host: it ends here at once, and on all other hosts through the hub. */
  #fail(reason: Failure): void {
    if (this.#failure !== null) return;
    const { cause: _, ...told } = reason;
    this.#channel?.send({ type: 'fail', failure: told });
    this.#learn(reason);
  }

  #join(channel: Channel): void {
    const { nodeRank, localWorkerNum, workerNum } = this.#plan;
    const counts = { nodeRank, localWorkers: localWorkerNum, workers: workerNum };
    channel.send({ type: 'join', join: { ...counts, job: jobOf(this.#plan) } });
  }

  #learn(reason: Failure): void {
    this.#failure ??= reason;
    this.#end();
  }

  #receive(message: Message): void {
    if (message.type === 'fail') this.#learn(safe(message.failure));
    else if (message.type === 'world') this.#start(message.formation);
    else if (message.type === 'barrier') this.#release(message.keys);
    else if (message.type === 'done') this.#finish();
  }

  /** Starts the world that this host was asked for; a hub that names another is not trusted. */
  #start(formation: Formation): void {
    const { nodes, nodeRank } = formation;
    const { localWorkerNum, workerNum } = this.#plan;
    const sum = nodes.reduce((all, count) => all + count, 0);
    const asked = nodes[nodeRank] === localWorkerNum && sum === workerNum;
    if (!asked || this.#formation !== null) {
      this.#distrust('names a world that this host was not asked for');
      return;
    }
    this.#formation = formation;
    if (this.#failure !== null) return;
    const channel = this.#channel as Channel;
    this.#ranks = new LocalRanks(this.#plan, formation, {
      barrier: (keys) => channel.send({ type: 'barrier', keys }),
      done: () => channel.send({ type: 'done' }),
      failed: (reason) => this.#fail(reason),
    });
    this.#ranks.start();
  }

  #release(keys: Keys): void {
    if (this.#ranks?.allWait) this.#ranks.release(keys);
    else this.#distrust('ends a barrier that not all ranks here have entered');
  }

  #finish(): void {
    if (this.#ranks?.allEnded) this.#end();
    else this.#distrust('says that all is done, while ranks here run');
  }

  #distrust(what: string): void {
    this.#fail(failure(`the host with node rank 0 ${what}`));
  }
}

/** A failure from another host, safe for this host's console. */
function safe(reason: Failure): Failure {
  return { ...reason, text: escapeLine(reason.text), output: escapeControls(reason.output) };
}

/** The job that hosts compare when they meet. Each may have the script at a path of its own. */
function jobOf({ jobName, script, args }: LaunchPlan): string {
  return jobName === '' ? [basename(script), ...args].join(' ') : jobName;
}
