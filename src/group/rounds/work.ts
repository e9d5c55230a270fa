/** A collective of a {@link RoundsTransport}, under way or over. */

import type { Collective, Work } from '../transport.js';
import type { Route } from './algorithms.js';
import { describe } from './header.js';
import { recorder } from './recorder.js';
import type { Awaited, Progress, Waiting } from './waiting.js';

/** The transport, as its works see it. */
export interface Host extends Progress {
  readonly waiting: Waiting;
  /** Fails `work`, which has been waited for since `waited` milliseconds, if it can never end. */
  check(work: RoundsWork, waited: number): void;
  /** Notes that this rank blocks until `work` is over, or no longer blocks. */
  block(work: RoundsWork, isBlocked: boolean): void;
  /** Notes that this rank awaits `work`; null: no longer. */
  expect(work: RoundsWork | null): void;
}

export class RoundsWork implements Work<void>, Awaited {
  readonly call: Collective;
  /** Counts the group's collectives on this rank, from 1. */
  readonly number: number;
  /** Elements that this rank gives: the array may be detached later. */
  readonly count: number;
  /** Set when the work begins: before, it may be open how the members are connected. */
  route: Route = 'none';
  /** The next collective of the group that was started while this one is not over. */
  next: RoundsWork | null = null;
  settled = false;
  steps = 0;
  /** Its place in the recorder. */
  readonly recorded: number;
  #error: Error | null = null;
  readonly #host: Host;

  constructor(host: Host, call: Collective, number: number, count: number, recorded: number) {
    this.#host = host;
    this.call = call;
    this.number = number;
    this.count = count;
    this.recorded = recorded;
  }

  get timeout(): number {
    return this.call.timeout;
  }

  wait(): void {
    if (!this.settled) this.#host.waiting.block(this.#host, this);
    if (this.#error !== null) throw this.#error;
  }

  async done(): Promise<void> {
    if (!this.settled) this.#host.advance();
    if (!this.settled) await this.#host.waiting.settle(this);
    if (this.#error !== null) throw this.#error;
  }

  /** "allReduce #17 of SyncBatchNorm 'bn2' with 129 float64" */
  describe(): string {
    return describe(this.call, this.number, this.count);
  }

  check(waited: number): void {
    this.#host.check(this, waited);
  }

  block(isBlocked: boolean): void {
    this.#host.block(this, isBlocked);
  }

  expect(isAwaited: boolean): void {
    this.#host.expect(isAwaited ? this : null);
  }

  finish(): void {
    if (!this.settled) recorder.end(this.recorded, this.number, false);
    this.settled = true;
  }

  fail(error: Error): void {
    if (this.settled) return;
    recorder.end(this.recorded, this.number, true);
    this.#error = error;
    this.settled = true;
  }
}
