/** A collective of a group of threads as its caller holds it. */

import type { Collective, Work } from '../transport.js';
import type { Program } from './steps.js';
import type { Awaited, Progress } from './waiting.js';

/** What carries the collectives of a group; see transport.ts. */
export interface Carrier extends Progress {
  /** Word of the group's area; names the group to other ranks. */
  readonly areaWord: number;
  /** Blocks until `work` has settled. */
  block(work: ThreadWork): void;
  settle(work: ThreadWork): Promise<void>;
  /**
   * Looks for a reason why the collectives under way can never end, and fails them if so.
   * @param search whether to look for a circle of ranks, too, which takes longer
   */
  check(deadline: number, search: boolean): void;
}

/** A collective of one group of threads, under way or over. */
export class ThreadWork implements Work<void>, Awaited {
  readonly call: Collective;
  /** Counts the group's collectives on this rank, from 1. */
  readonly number: number;
  readonly program: Program;
  /** Step of the program that is published or will be next. */
  index = 0;
  settled = false;
  #error: Error | null = null;
  #blocking = false;
  readonly #transport: Carrier;
  /** Set when the rank begins to wait for longer than a spin: asking the clock takes a while. */
  #deadline: number | null = null;

  constructor(transport: Carrier, call: Collective, number: number, program: Program) {
    this.#transport = transport;
    this.call = call;
    this.number = number;
    this.program = program;
  }

  wait(): void {
    if (!this.settled) {
      this.#blocking = true;
      this.#transport.block(this);
    }
    if (this.#error !== null) throw this.#error;
  }

  async done(): Promise<void> {
    if (!this.settled) this.#transport.advance();
    if (!this.settled) await this.#transport.settle(this);
    if (this.#error !== null) throw this.#error;
  }

  get blockedArea(): number {
    return this.#transport.areaWord;
  }

  get blockedCall(): number {
    return this.number;
  }

  startClock(): void {
    this.#deadline ??= performance.now() + this.call.timeout;
  }

  check(idle: boolean): void {
    this.#transport.check(this.#deadline as number, idle && this.#blocking);
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
