/** Tells if a thread may block; a browser's main thread may not. */

/** Tried once for each world: `Atomics.wait` throws at once if blocking is forbidden. */
export function threadMayBlock(): boolean {
  try {
    // The word is not what it should be, so nothing is waited for.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/** The error of a `wait` in a world that can only be awaited. */
export function mustAwait(): TypeError {
  return new TypeError(
    'wait: this rank must not block (a browser forbids it on the main thread); await done() instead',
  );
}
