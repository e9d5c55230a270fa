/** Signals that ask a world to end, and exit statuses. */

/** Numbers of the signals. */
export const END_SIGNALS = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const;
export type EndSignal = keyof typeof END_SIGNALS;

/** Seconds for ranks to start, by default. */
export const START_TIMEOUT = 600;
/** Seconds that ranks have by default after they were asked to end. */
export const DEFAULT_GRACE = 5;

/** The exit status after a signal, as shells count it. */
export function statusOf(signal: EndSignal): number {
  return 128 + END_SIGNALS[signal];
}

/** The exit status for a code that means failure, 1 to 255: the system drops all but eight bits. */
export function failureStatus(code: number): number {
  return code & 255 || 1;
}
