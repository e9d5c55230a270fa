/** Steps that follow a collective, in either way of waiting for it. */

import type { Work } from '../group/transport.js';

/**
 * The work of `first`, then `next` of its result; `next` may start another collective. `next` runs
 * once, however often the result is asked for.
 */
export function chain<A, B>(first: Work<A>, next: (value: A) => B | Work<B>): Work<B> {
  let following: { value: B | Work<B> } | undefined;
  const follow = (value: A) => {
    following ??= { value: next(value) };
    return following.value;
  };
  return {
    wait() {
      const value = following?.value ?? follow(first.wait());
      return isWork(value) ? value.wait() : value;
    },
    async done() {
      const value = following?.value ?? follow(await first.done());
      return isWork(value) ? value.done() : value;
    },
  };
}

/** A work that is over already. */
export function finished<T>(value: T): Work<T> {
  return { wait: () => value, done: () => Promise.resolve(value) };
}

function isWork<B>(value: B | Work<B>): value is Work<B> {
  return (
    typeof value === 'object' && value !== null && typeof (value as Work<B>).wait === 'function'
  );
}
