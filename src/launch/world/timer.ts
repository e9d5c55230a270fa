/** A timer for times that users give in seconds. */

export type Timer = ReturnType<typeof setTimeout> | undefined;

/** Seconds that ranks get to start when nobody says otherwise. */
export const START_TIMEOUT = 600;
/** A timer cannot run longer than this; more is for ever. */
const MAX_TIMER_MS = 0x7fffffff;

/** Calls `ring` after `seconds`; never, when they are negative or more than a timer can run. */
export function startTimer(seconds: number, ring: () => void): Timer {
  if (seconds < 0 || seconds * 1000 > MAX_TIMER_MS) return undefined;
  return setTimeout(ring, seconds * 1000);
}
