/** Those who take turns: the same work, each on ranks of its own, idle while others measure. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Reply, Request, WorkErrors } from './protocol.js';

/** Seconds that a rank has for one request. */
export const PATIENCE = 60;

export interface Contestant {
  /** As tables name it, with its version. */
  readonly name: string;
  /** Sets a task up and checks it; the errors name the works that it takes on. */
  prepare(task: unknown): Promise<WorkErrors>;
  /** Microseconds a call of each sample, as rank 0 measured them. */
  turn(work: string, calls: number, samples: number): Promise<readonly number[]>;
  close(): Promise<void>;
}

/** One rank, wherever it runs. */
export interface Link {
  ask(request: Request): Promise<Reply>;
  /** Last words of the rank, for the error of one that does not answer; default: nothing. */
  readonly lastWords?: () => string;
}

/** A contestant whose ranks are reached by links. */
export class LinkedContestant implements Contestant {
  readonly name: string;
  readonly #links: readonly Link[];
  readonly #close: () => Promise<void>;
  readonly #seconds: number;

  /** @param seconds for one request */
  constructor(
    name: string,
    links: readonly Link[],
    close: () => Promise<void>,
    seconds = PATIENCE,
  ) {
    this.name = name;
    this.#links = links;
    this.#close = close;
    this.#seconds = seconds;
  }

  async prepare(task: unknown): Promise<WorkErrors> {
    const worst: Record<string, number> = {};
    for (const reply of await this.#ask({ ask: 'prepare', task })) {
      if (!('errors' in reply)) throw new Error(`${this.name}: no errors in its reply`);
      for (const [work, error] of Object.entries(reply.errors)) {
        worst[work] = Math.max(worst[work] ?? 0, error);
      }
    }
    return worst;
  }

  async turn(work: string, calls: number, samples: number): Promise<readonly number[]> {
    const [first] = await this.#ask({ ask: 'turn', work, calls, samples });
    if (!('times' in first)) throw new Error(`${this.name}: no times in its reply`);
    return first.times;
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #ask(request: Request): Promise<Reply[]> {
    return Promise.all(
      this.#links.map(async (link, rank) => {
        const who = `${this.name}, rank ${rank}`;
        const reply = await this.#inTime(link, request).catch((cause: Error) => {
          throw new Error(`${who}: ${cause.message}`, { cause });
        });
        if ('failure' in reply) throw new Error(`${who}: ${reply.failure}`);
        return reply;
      }),
    );
  }
  async #inTime(link: Link, request: Request): Promise<Reply> {
    const timer = new AbortController();
    const late = sleep(this.#seconds * 1000, null, { signal: timer.signal }).then(() => {
      const words = link.lastWords?.();
      throw new Error(
        `no reply to '${request.ask}' in ${this.#seconds} seconds${words ? `: ${words}` : ''}`,
      );
    });
    try {
      return await Promise.race([link.ask(request), late]);
    } finally {
      timer.abort();
    }
  }
}
