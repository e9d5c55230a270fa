/**
 * Passes: work that needs one collective after the other, written once for both ways of waiting. A
 * pass is a state object, since generators cost 15 % of a small forward call. `runNow` waits for
 * its works, `startInTurn` makes one work of it, which may be awaited.
 */

import { mustAwait } from './may-block.js';
import type { ProcessGroup } from './process-group.js';
import type { Work } from './transport.js';

export interface Pass<T> {
  /** Does what can be done; returns the work that it waits for now, or null when it is over. */
  step(): Work<unknown> | null;
  /** Result of a pass that is over. */
  readonly result: T;
  /** Gives back what the pass holds, when it or one of its works has failed. */
  abandon?(): void;
}

/** A pass that is over. */
export function finished<T>(result: T): Pass<T> {
  return new Finished(result);
}

class Finished<T> implements Pass<T> {
  readonly result: T;

  constructor(result: T) {
    this.result = result;
  }

  step(): null {
    return null;
  }
}

/** Makes a pass that runs `pass`, and then `finish` on its result. */
export function after<A, B>(pass: Pass<A>, finish: (value: A) => B, abandon?: () => void): Pass<B> {
  let result: B | undefined;
  return {
    get result() {
      return result as B;
    },
    step() {
      const work = pass.step();
      if (work === null) result = finish(pass.result);
      return work;
    },
    abandon() {
      pass.abandon?.();
      abandon?.();
    },
  };
}

/** Makes a pass that runs `first`, if there is one, and then the pass that `next` makes. */
export function before<T>(first: Pass<unknown> | null, next: () => Pass<T>): Pass<T> {
  if (first === null) return next();
  let open: Pass<unknown> | null = first;
  let second: Pass<T> | null = null;
  return {
    get result() {
      return (second as Pass<T>).result;
    },
    step() {
      const work = open?.step() ?? null;
      if (work !== null) return work;
      open = null;
      second ??= next();
      return second.step();
    },
    abandon: () => (open ?? second)?.abandon?.(),
  };
}

/** Makes a pass of one work. */
export function meeting<T>(work: Work<unknown>, result: T): Pass<T> {
  let next: Work<unknown> | null = work;
  const step = () => {
    const now = next;
    next = null;
    return now;
  };
  return { step, result };
}

/** Runs a pass to its end, blocking. The caller has checked that no pass is under way. */
export function runNow<T>(pass: Pass<T>): T {
  try {
    for (let work = pass.step(); work !== null; work = pass.step()) work.wait();
  } catch (error) {
    pass.abandon?.();
    throw error;
  }
  return pass.result;
}

/** The latest pass that `startInTurn` has started on this thread and that is not over. */
let last: Turn<unknown> | null = null;

/**
 * Throws unless `call` may block here and now. It may not while a pass of `startInTurn` is under
 * way: a thread has one memory for all passes, and the ranks would meet in different orders.
 * @param owner name in errors: "SyncBatchNorm 'bn1'", or ''
 * @throws Error while a pass is under way; TypeError if the group's ranks can only be awaited
 */
export function checkBlocking(group: ProcessGroup | null, owner: string, call: string): void {
  const mayBlock = group === null || group.size === 1 || group.mayBlock;
  if (last === null && mayBlock) return;
  const name = owner === '' ? call : `${owner}: ${call}`;
  if (last !== null) {
    throw new Error(
      `${name}: a pass that was started on this thread is not over; await its done() first`,
    );
  }
  const start = `start${call[0].toUpperCase()}${call.slice(1)}`;
  throw new TypeError(
    `${name}: it would block, which this thread may not; await ${start}(...).done()`,
  );
}

/**
 * Starts the pass that `make` makes when all earlier passes are over: the passes of a thread run
 * one at a time, in the order of their calls. One of `wait()` and `done()` must be called; either
 * moves the earlier passes, too.
 * @param mayBlock true if this thread may call `wait()`; see `ProcessGroup.mayBlock`
 */
export function startInTurn<T>(make: () => Pass<T>, mayBlock = true): Work<T> {
  return new Turn(make, mayBlock);
}

class Turn<T> implements Work<T> {
  readonly #make: () => Pass<T>;
  readonly #mayBlock: boolean;
  #before: Turn<unknown> | null;
  #pass: Pass<T> | null = null;
  /** Work that the pass waits for. */
  #work: Work<unknown> | null = null;
  #over = false;
  #failure: { error: unknown } | null = null;
  #moving: Promise<void> | null = null;

  constructor(make: () => Pass<T>, mayBlock: boolean) {
    this.#make = make;
    this.#mayBlock = mayBlock;
    this.#before = last;
    last = this;
    if (this.#before === null) this.#advance();
  }

  wait(): T {
    if (!this.#over) {
      if (!this.#mayBlock) throw mustAwait();
      this.#moveNow();
    }
    return this.#outcome();
  }

  async done(): Promise<T> {
    await this.#move();
    return this.#outcome();
  }

  #outcome(): T {
    if (this.#failure !== null) throw this.#failure.error;
    return (this.#pass as Pass<T>).result;
  }

  #moveNow(): void {
    if (this.#over) return;
    if (this.#moving !== null) {
      throw new Error('wait: done() was called before, and is not over; await it');
    }
    if (this.#before !== null) this.#before.#moveNow();
    if (this.#pass === null && !this.#over) this.#advance();
    while (!this.#over) {
      try {
        this.#work?.wait();
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#advance();
    }
  }

  #move(): Promise<void> {
    this.#moving ??= this.#moveLater();
    return this.#moving;
  }

  async #moveLater(): Promise<void> {
    if (this.#before !== null) await this.#before.#move();
    if (this.#pass === null && !this.#over) this.#advance();
    while (!this.#over) {
      try {
        await this.#work?.done();
      } catch (error) {
        this.#fail(error);
        return;
      }
      this.#advance();
    }
  }

  #advance(): void {
    try {
      this.#pass ??= this.#make();
      this.#work = this.#pass.step();
      if (this.#work === null) this.#end();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#failure = { error };
    this.#pass?.abandon?.();
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#work = null;
    this.#before = null;
    if (last === (this as Turn<unknown>)) last = null;
  }
}
