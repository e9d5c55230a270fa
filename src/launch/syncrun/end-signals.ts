/** This process's handlers of the signals that end a world. */

import { END_SIGNALS, type EndSignal } from '../world/signals.js';

export class EndSignals {
  #received: EndSignal | null = null;

  /** Calls `stop` when the first signal comes; the second ends this process by itself, at once. */
  constructor(stop: (signal: EndSignal) => void) {
    const onSignal = (name: EndSignal) => {
      // A user who asks twice does not want to wait for anything.
      if (this.#received !== null) dieBy(name);
      this.#received = name;
      stop(name);
    };
    for (const name of Object.keys(END_SIGNALS) as EndSignal[]) process.on(name, onSignal);
  }

  /** The first signal that came; null: none has come. */
  get received(): EndSignal | null {
    return this.#received;
  }
}

/** Ends this process by the signal itself, at once, even if its threads are busy. */
export function dieBy(signal: EndSignal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
