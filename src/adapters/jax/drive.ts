/**
 * Runs a step that has to wait now and then: for an array to be read, or for other ranks. Steps
 * are generators that yield what they wait for, so that one text serves both ways of waiting.
 */

import type { numpy as np } from '@jax-js/jax';
import type { Work } from '../../group/transport.js';
import { isArray } from './stage.js';

/** An array to be read, which is consumed, or a work of other ranks. */
export type Awaited = np.Array | Work<unknown>;

/** A step; each `yield` gives the array's values, or the work's result. */
export type Steps<T> = Generator<Awaited, T, unknown>;

/** Values of a float32 array, which is consumed. */
export function* read(array: np.Array): Generator<Awaited, Float32Array, unknown> {
  return (yield array) as Float32Array;
}

/** The result of a work. */
export function* result<T>(work: Work<T>): Generator<Awaited, T, unknown> {
  return (yield work) as T;
}

/**
 * Starts `steps` and returns the work that it is. It runs up to its first wait at once; the rest
 * runs in `wait()` or `done()`, one of which must be called.
 */
export function drive<T>(steps: Steps<T>): Work<T> {
  let state = steps.next();
  let failure: { error: unknown } | null = null;
  let running: Promise<T> | null = null;
  /** Goes on with what is awaited, or throws it into the step, which then cleans up. */
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
      while (!isOver()) advance(valueNow(state.value as Awaited));
      return outcome();
    },
    done() {
      running ??= (async () => {
        while (!isOver()) advance(await valueLater(state.value as Awaited));
        return outcome();
      })();
      return running;
    },
  };
}

type Got = { value: unknown } | { error: unknown };

function valueNow(awaited: Awaited): Got {
  try {
    return { value: isArray(awaited) ? dataNow(awaited) : awaited.wait() };
  } catch (error) {
    return { error };
  }
}

async function valueLater(awaited: Awaited): Promise<Got> {
  try {
    return { value: await (isArray(awaited) ? awaited.data() : awaited.done()) };
  } catch (error) {
    return { error };
  }
}

function dataNow(array: np.Array): unknown {
  if (array.device !== 'webgpu') return array.dataSync();
  array.dispose();
  throw new Error("wait: arrays on jax-js' webgpu device cannot be read at once; await done()");
}
