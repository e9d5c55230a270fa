/**
 * Runs a step of an adapter that has to wait now and then: for an array to be read, or for other
 * ranks. Steps are generators that yield the works they wait for, so that one text is enough for
 * both ways of waiting. (The passes of ops/ are state objects: they take microseconds, steps
 * milliseconds.)
 */

import type { Work } from '../../group/transport.js';

/** A step; each `yield` gives the work's result. */
export type Steps<T> = Generator<Work<unknown>, T, unknown>;

/** Awaits the result of a work. */
export function* result<T>(work: Work<T>): Generator<Work<unknown>, T, unknown> {
  return (yield work) as T;
}

/**
 * Starts `steps` and returns them as a work. They run up to their first wait at once; the rest
 * runs in `wait()` or `done()`, one of which must be called.
 */
export function drive<T>(steps: Steps<T>): Work<T> {
  let state = steps.next();
  let failure: { error: unknown } | null = null;
  let running: Promise<T> | null = null;
  /** Goes on with the awaited value, or throws its error into the step, which then cleans up. */
  const advance = (got: Got) => {
    try {
      state = 'error' in got ? steps.throw(got.error) : steps.next(got.value);
    } catch (error) {
      failure = { error };
    }
  };
  const outcome = (): T => {
    if (failure !== null) throw failure.error;
    return state.value as T;
  };
  const isOver = () => state.done === true || failure !== null;
  return {
    wait() {
      if (running !== null && !isOver()) {
        throw new Error('wait: done() was called before, and is not over; await it');
      }
      while (!isOver()) advance(valueNow(state.value as Work<unknown>));
      return outcome();
    },
    done() {
      running ??= (async () => {
        while (!isOver()) advance(await valueLater(state.value as Work<unknown>));
        return outcome();
      })();
      return running;
    },
  };
}

type Got = { value: unknown } | { error: unknown };

function valueNow(work: Work<unknown>): Got {
  try {
    return { value: work.wait() };
  } catch (error) {
    return { error };
  }
}

async function valueLater(work: Work<unknown>): Promise<Got> {
  try {
    return { value: await work.done() };
  } catch (error) {
    return { error };
  }
}
