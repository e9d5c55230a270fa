/** Starts a world of processes: on this host alone, or as this host's part of several. */

import { hostname } from 'node:os';
import { type Failure, failure, LaunchError } from './errors.js';
import { LocalRanks } from './local-ranks.js';
import type { Channel, Formation, Message } from './messages.js';
import { type LaunchPlan, type ProcessLaunchOptions, planOf } from './options.js';
import { openChannel } from './rendezvous.js';

/**
 * Runs `script` as processes that join one world over MPICH, on this host and on the others that
 * run the same command. Ends when all ranks of all hosts have ended.
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
  const interrupt = () =>
    part.fail(failure(`interrupted on host ${hostname()}, node rank ${part.nodeRank}`, 130));
  plan.signal?.addEventListener('abort', interrupt);
  try {
    if (plan.signal?.aborted) interrupt();
    return await part.run();
  } finally {
    plan.signal?.removeEventListener('abort', interrupt);
  }
}

class HostPart {
  readonly #plan: LaunchPlan;
  #channel: Channel | null = null;
  #ranks: LocalRanks | null = null;
  #formation: Formation | null = null;
  #failure: Failure | null = null;
  #end: () => void = () => {};
  readonly #ended: Promise<void>;

  constructor(plan: LaunchPlan) {
    this.#plan = plan;
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  get nodeRank(): number {
    return this.#formation?.nodeRank ?? this.#plan.nodeRank;
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
    await this.#ranks?.kill();
    await channel.close();
    return this.#failure;
  }

  /** A failure of this host's: it ends here at once, and on all others through the hub. */
  fail(reason: Failure): void {
    if (this.#failure !== null) return;
    this.#channel?.send({ type: 'fail', failure: reason });
    this.#learn(reason);
  }

  #join(channel: Channel): void {
    const { nodeRank, localWorkerNum, workerNum } = this.#plan;
    const join = { nodeRank, localWorkers: localWorkerNum, workers: workerNum };
    channel.send({ type: 'join', join });
  }

  #learn(reason: Failure): void {
    this.#failure ??= reason;
    this.#end();
  }

  #receive(message: Message): void {
    if (message.type === 'world') this.#start(message.formation);
    else if (message.type === 'barrier') this.#ranks?.release(message.keys);
    else if (message.type === 'fail') this.#learn(message.failure);
    else if (message.type === 'done') this.#end();
  }

  #start(formation: Formation): void {
    this.#formation = formation;
    if (this.#failure !== null) return;
    const channel = this.#channel as Channel;
    this.#ranks = new LocalRanks(this.#plan, formation, {
      barrier: (keys) => channel.send({ type: 'barrier', keys }),
      done: () => channel.send({ type: 'done' }),
      failed: (reason) => this.fail(reason),
    });
    this.#ranks.start();
  }
}
