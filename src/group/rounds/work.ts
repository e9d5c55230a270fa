/** A collective of an {@link MpiTransport}, under way or over. */

import type { Work } from '../transport.js';
import type { FrameCall } from './header.js';
import type { Awaited, Progress, Waiting } from './waiting.js';

/**
 * How a collective's data travels: all with the headers, in parts with them and in a second round,
 * after them and chunk by chunk; or there is none.
 */
export type Route = 'whole' | 'parts' | 'bulk' | 'none';

/** What a work asks of its transport. */
export interface Carrier extends Progress {
  readonly waiting: Waiting;
  /** Ends the group: a work of it has reached its deadline. */
  expire(work: MpiWork): void;
}

export class MpiWork implements Work<void>, Awaited {
  readonly call: FrameCall;
  /** Counts the group's collectives on this rank, from 1. */
  readonly number: number;
  readonly route: Route;
  settled = false;
  #error: Error | null = null;
  readonly #carrier: Carrier;

  constructor(carrier: Carrier, call: FrameCall, number: number, route: Route) {
    this.#carrier = carrier;
    this.call = call;
    this.number = number;
    this.route = route;
  }

  get timeout(): number {
    return this.call.timeout;
  }

  get error(): Error | null {
    return this.#error;
  }

  wait(): void {
    if (!this.settled) this.#carrier.waiting.block(this.#carrier, this);
    if (this.#error !== null) throw this.#error;
  }

  async done(): Promise<void> {
    if (!this.settled) await this.#carrier.waiting.settle(this);
    if (this.#error !== null) throw this.#error;
  }

  expire(): void {
    this.#carrier.expire(this);
  }

  finish(): void {
    this.settled = true;
  }

  fail(error: Error): void {
    if (this.settled) return;
    this.#error = error;
    this.settled = true;
  }
}
