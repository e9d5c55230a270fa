/**
 * The host with node rank 0 keeps the other hosts together: it counts hosts in, passes barriers on
 * when all have reached them, and tells everyone of the first failure, and of the end.
 */

import { startTimer, type Timer } from '../../core/timer.js';
import { type Failure, failure } from './errors.js';
import type { Channel, Formation, Join, Keys, Listener, Message } from './messages.js';

interface Host {
  readonly name: string;
  readonly channel: Channel;
  join: Join | null;
  /** Keys of the barrier that the host is in; null when it is in none. */
  keys: Keys | null;
  done: boolean;
}

export class Hub {
  readonly #workers: number;
  /** Job of the first host that joins; the other hosts must have the same job. */
  #job: string | null = null;
  readonly #hosts: Host[] = [];
  readonly #refused: string[] = [];
  #nodes: readonly number[] | null = null;
  #failed = false;
  readonly #seconds: number;
  /** Runs from the first host's arrival at the first barrier to the arrival of all; null: over. */
  #joinTimer: Timer | null;

  /**
   * @param workers ranks in all
   * @param seconds to form the world, and then for its ranks to join it; negative: forever
   */
  constructor(workers: number, seconds: number) {
    this.#workers = workers;
    this.#seconds = seconds;
  }

  /** True once all hosts have come, or never will. */
  get settled(): boolean {
    return this.#nodes !== null || this.#failed;
  }

  /** Takes a host in. `open` gets the listener for the host, and returns the channel to it. */
  add(name: string, open: (listener: Listener) => Channel): void {
    const channel = open({
      receive: (message) => this.#receive(host, message),
      lost: (why) => this.#lost(host, why),
    });
    const host: Host = { name, channel, join: null, keys: null, done: false };
    this.#hosts.push(host);
  }

  /** Remembers a connection that was turned away, for the error if the world does not form. */
  refuse(name: string, why: string): void {
    if (this.#refused.length < 10) this.#refused.push(`${name}: ${why}`);
  }

  /** The time to form the world is over. */
  expire(): void {
    if (this.settled) return;
    const refused = this.#refused.length === 0 ? '' : `; refused ${this.#refused.join('; ')}`;
    this.fail(
      failure(
        `${this.#joined()} of ${this.#workers} ranks came within ${this.#seconds} s, from ` +
          `${this.#members.map(({ name }) => name).join(', ')}${refused}`,
      ),
    );
  }

  fail(reason: Failure): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#tellAll({ type: 'fail', failure: reason });
  }

  /** Ends all lines after the messages on them. */
  async close(): Promise<void> {
    this.#stopTimer();
    await Promise.all(this.#hosts.map(({ channel }) => channel.close()));
  }

  #tellAll(message: Message): void {
    const told = message.type === 'fail' ? this.#hosts : this.#members;
    for (const { channel } of told) channel.send(message);
  }

  #joined(): number {
    return this.#hosts.reduce((sum, { join }) => sum + (join?.localWorkers ?? 0), 0);
  }

  /** Hosts that belong to the world; other hosts may be connected and never say a word. */
  get #members(): Host[] {
    return this.#hosts.filter(({ join }) => join !== null);
  }

  #receive(host: Host, message: Message): void {
    if (this.#failed) return;
    if (message.type === 'join') this.#join(host, message.join);
    else if (host.join === null) return;
    else if (message.type === 'fail') this.fail(message.failure);
    // A host's ranks start when the world has formed.
    else if (this.#nodes === null) return;
    else if (message.type === 'barrier') this.#barrier(host, message.keys);
    else if (message.type === 'done') this.#done(host);
  }

  #join(host: Host, join: Join): void {
    if (host.join !== null) {
      this.fail(failure(`${host.name} joined twice`));
      return;
    }
    if (this.#nodes !== null) {
      this.#turnAway(host, `the world of ${this.#workers} ranks is complete without ${host.name}`);
      return;
    }
    this.#job ??= join.job;
    if (join.job !== this.#job) {
      const jobs = `${host.name} runs ${quote(join.job)}, and this world ${quote(this.#job)}`;
      this.#turnAway(host, `another job meets here: ${jobs}`);
      return;
    }
    const problem = this.#problemOf(host, join);
    if (problem !== null) {
      // The newcomer is told as well as all other hosts.
      this.fail(failure(`${problem}`));
      return;
    }
    host.join = join;
    if (this.#joined() === this.#workers) this.#form();
  }

  /** A host that does not belong here: only it is told. */
  #turnAway(host: Host, text: string): void {
    this.refuse(host.name, text);
    host.channel.send({ type: 'fail', failure: failure(text) });
  }

  #problemOf(host: Host, { nodeRank, workers, localWorkers }: Join): string | null {
    if (workers !== this.#workers) {
      return `${host.name} was told of ${workers} workers in all, ${this.#hosts[0].name} of ${this.#workers}`;
    }
    const twin = this.#hosts.find(({ join }) => nodeRank >= 0 && join?.nodeRank === nodeRank);
    if (twin !== undefined) return `${twin.name} and ${host.name} both have node rank ${nodeRank}`;
    const sum = this.#joined() + localWorkers;
    if (sum > this.#workers) {
      return `${host.name} brings ${localWorkers} ranks, which makes more than the ${this.#workers} in all`;
    }
    return null;
  }

  #form(): void {
    const place = ({ join }: Host) =>
      join === null || join.nodeRank < 0 ? Infinity : join.nodeRank;
    const order = this.#members;
    order.sort((a, b) => (place(a) === place(b) ? 0 : place(a) - place(b)));
    const nodes = order.map(({ join }) => join?.localWorkers ?? 0);
    this.#nodes = nodes;
    order.forEach(({ channel }, nodeRank) => {
      const formation: Formation = { nodeRank, nodes };
      channel.send({ type: 'world', formation });
    });
  }

  #barrier(host: Host, keys: Keys): void {
    host.keys = keys;
    if (this.#joinTimer === undefined) {
      this.#joinTimer = startTimer(this.#seconds, () => this.#missRanks());
    }
    const gone = this.#members.find(({ done }) => done);
    if (gone !== undefined) {
      this.fail(
        failure(`the ranks of ${gone.name} ended while those of ${host.name} wait for them`),
      );
    } else if (this.#members.every((each) => each.keys !== null)) {
      this.#stopTimer();
      const all = this.#members.flatMap((each) => each.keys ?? []);
      for (const each of this.#hosts) each.keys = null;
      this.#tellAll({ type: 'barrier', keys: all });
    }
  }

  #stopTimer(): void {
    clearTimeout(this.#joinTimer ?? undefined);
    this.#joinTimer = null;
  }

  /** Some ranks wait in the world's first barrier for ranks of other hosts, which do not come. */
  #missRanks(): void {
    const late = this.#members.find(({ keys, done }) => keys === null && !done);
    const waiting = this.#hosts.find(({ keys }) => keys !== null);
    if (late === undefined || waiting === undefined) return;
    const wait = `those of ${waiting.name} have waited ${this.#seconds} s for them`;
    this.fail(failure(`not all ranks of ${late.name} have joined the world, and ${wait}`));
  }

  #done(host: Host): void {
    host.done = true;
    const waiting = this.#hosts.find(({ keys }) => keys !== null);
    if (waiting !== undefined) this.#barrier(waiting, waiting.keys ?? []);
    else if (this.#members.every(({ done }) => done)) this.#tellAll({ type: 'done' });
  }

  #forget(host: Host): void {
    this.#hosts.splice(this.#hosts.indexOf(host), 1);
  }

  #lost(host: Host, why: string): void {
    // A host that has ended may go before all others have; a host that never joined is not missed.
    if (host.join === null) this.#forget(host);
    else if (!host.done) this.fail(failure(`${host.name} was lost: ${why}`));
  }
}

function quote(job: string): string {
  return `'${job.length > 200 ? `${job.slice(0, 200)}...` : job}'`;
}
