/**
 * How a rank waits. It polls, since MPI has no wait with a deadline; every collective that it has
 * under way moves on meanwhile, so that groups may be waited for in different orders on different
 * ranks. It spins while a peer on a core of its own would answer, then lets other processes run.
 */

/** Something of this rank that may move on. */
export interface Progress {
  /** Moves on as far as it can. */
  advance(): void;
}

export interface Awaited {
  readonly settled: boolean;
  /** Milliseconds that the wait may take. */
  readonly timeout: number;
  /** Settles it with an error, since `timeout` has passed. */
  expire(): void;
}

/** Polls of the awaited transport between looks at all others and at the clock. */
const STRIDE = 32;
/** The same where ranks share cores, after the first ones. */
const STRIDE_CROWDED = 1;
/** Milliseconds before the processor is yielded, where every rank has a core of its own. */
const SPIN_MS = 0.002;
/** Milliseconds of waiting after which the rank sleeps between polls, and the sleep. */
const PATIENCE_MS = 20;
const SLEEP_MS = 0.2;

export class Waiting {
  readonly #stride: number;
  readonly #spinMs: number;
  readonly #yield: () => void;
  readonly #progress: () => void;
  readonly #active = new Set<Progress>();
  readonly #bed = new Int32Array(new SharedArrayBuffer(4));

  /**
   * @param crowded whether more ranks than cores share this host
   * @param yieldProcessor the system's call for it, or null
   * @param progress lets MPI move on, since what is awaited may lie in shared memory
   */
  constructor(crowded: boolean, yieldProcessor: (() => void) | null, progress: () => void) {
    this.#stride = crowded ? STRIDE_CROWDED : STRIDE;
    this.#spinMs = crowded ? 0 : SPIN_MS;
    this.#progress = progress;
    this.#yield = yieldProcessor ?? (() => this.sleep(SLEEP_MS));
  }

  add(progress: Progress): void {
    this.#active.add(progress);
  }

  remove(progress: Progress): void {
    this.#active.delete(progress);
  }

  /** Blocks until `awaited` has settled; `own` is what it most likely waits for. */
  block(own: Progress, awaited: Awaited): void {
    for (let poll = 0; poll < STRIDE; poll++) {
      own.advance();
      if (awaited.settled) return;
    }
    const start = performance.now();
    for (let poll = STRIDE; ; poll++) {
      own.advance();
      if (awaited.settled) return;
      if (poll % this.#stride !== 0) continue;
      this.#advanceAll();
      this.#rest(start, awaited);
    }
  }

  /** Waits without blocking until `awaited` has settled. */
  async settle(awaited: Awaited): Promise<void> {
    const start = performance.now();
    while (!awaited.settled) {
      const waited = performance.now() - start;
      if (waited > awaited.timeout) awaited.expire();
      else await (waited < PATIENCE_MS ? nextTurn() : nextMillisecond());
      this.#advanceAll();
    }
  }

  /** Blocks until `ended` says so or `milliseconds` have passed. @returns whether it ended */
  blockUntil(ended: () => boolean, milliseconds: number): boolean {
    const awaited = {
      settled: false,
      timeout: milliseconds,
      expire: () => {
        awaited.settled = true;
      },
    };
    let over = false;
    const advance = () => {
      over = ended();
      awaited.settled ||= over;
    };
    this.block({ advance }, awaited);
    return over;
  }

  sleep(milliseconds: number): void {
    Atomics.wait(this.#bed, 0, 0, milliseconds);
  }

  #advanceAll(): void {
    this.#progress();
    for (const progress of this.#active) progress.advance();
  }

  #rest(start: number, awaited: Awaited): void {
    const waited = performance.now() - start;
    if (waited > awaited.timeout) {
      if (!awaited.settled) awaited.expire();
    } else if (waited > PATIENCE_MS) {
      this.sleep(SLEEP_MS);
    } else if (waited >= this.#spinMs) {
      this.#yield();
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function nextMillisecond(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 1));
}
