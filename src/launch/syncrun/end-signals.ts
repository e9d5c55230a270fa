/** Signals that end a world. */

/** The exit status that each gives, as shells count them. */
const STATUS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
export type EndSignal = keyof typeof STATUS;

export class EndSignals {
  #received: EndSignal | null = null;

  /** Calls `stop` when the first signal comes; the second ends this process by itself, at once. */
  constructor(stop: () => void) {
    const onSignal = (name: EndSignal) => {
      // Whoever asks twice does not want to wait for anything.
      if (this.#received !== null) dieBy(name);
      this.#received = name;
      stop();
    };
    for (const name of Object.keys(STATUS) as EndSignal[]) process.on(name, onSignal);
  }

  /** The first that came; null: none. */
  get received(): EndSignal | null {
    return this.#received;
  }
}

export function statusOf(signal: EndSignal): number {
  return STATUS[signal];
}

/** Ends this process by the signal itself, at once, whatever its threads do. */
export function dieBy(signal: EndSignal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
