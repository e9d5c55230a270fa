/** A timer for times that users give in seconds. */

export type Timer = ReturnType<typeof setTimeout> | undefined;

/** Longest time of a timer; longer times mean forever. */
const MAX_TIMER_MS = 0x7fffffff;

/** Calls `ring` after `seconds`; never, if they are negative or more than a timer can run. */
export function startTimer(seconds: number, ring: () => void): Timer {
  if (seconds < 0 || seconds * 1000 > MAX_TIMER_MS) return undefined;
  return setTimeout(ring, seconds * 1000);
}
