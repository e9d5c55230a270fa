/**
 * Progress of one training run: a bar on a terminal, a plain line every tenth of the way elsewhere
 * (a log file, CI). Ended by `stop`, it leaves one line; interrupted, it leaves nothing.
 *
 * Signals reach a process between two turns of its event loop: training that never awaits can be
 * interrupted only at its end.
 */

import { SingleBar } from 'cli-progress';

/** Figures shown beside the bar. */
export interface Figures {
  readonly loss: number;
}

/** A run under way. */
export interface Progress {
  /** `step` of the steps are done. */
  update(step: number, figures: Figures): void;
  /** Ends the bar and says how far the run came. Further calls do nothing. */
  stop(): void;
}

/** Where progress is written; `isTTY` tells a terminal, as on process.stderr. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** How a run's progress is shown between its start and its end. */
interface Display {
  show(step: number, figures: Figures): void;
  clear(): void;
}

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Shows the progress of run `name` over `total` steps.
 * @throws RangeError unless `total` is a positive whole number
 */
export function startProgress(
  name: string,
  total: number,
  stream: ProgressStream = process.stderr,
): Progress {
  if (!Number.isSafeInteger(total) || total < 1) {
    throw new RangeError(`startProgress: total must be a positive number of steps, got ${total}`);
  }
  let printed = 0;
  const line = (step: number, { loss }: Figures) => {
    printed = step;
    stream.write(`${name}: ${step}/${total} steps, loss ${loss.toFixed(4)}\n`);
  };
  const display = stream.isTTY ? bar(name, total, stream) : tenths(total, line);
  let last: Parameters<typeof line> | undefined;
  let stopped = false;
  return {
    update(step, figures) {
      if (stopped) return;
      last = [step, figures];
      display.show(step, figures);
    },
    stop() {
      if (stopped) return;
      stopped = true;
      display.clear();
      if (last && last[0] !== printed) line(...last);
    },
  };
}

/** A bar that redraws itself, and is gone after `clear`, a signal, or the end of the process. */
function bar(name: string, total: number, stream: ProgressStream): Display {
  const single = new SingleBar({
    format: `${name.replace(/[{}]/g, '')} [{bar}] {value}/{total} | loss {loss} | {eta_formatted} left`,
    // With the longest name of the demo and four-digit steps this fits into 80 columns.
    barsize: 16,
    stream,
    clearOnComplete: true,
    hideCursor: true,
    // cli-progress would turn wrapping off and, after a kill, leave it off.
    linewrap: true,
  });
  const onSignal = (signal: NodeJS.Signals) => {
    clear();
    // A listener replaces the default, which is to die of the signal; anyone else's may go on.
    if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
  };
  const clear = () => {
    single.stop();
    for (const signal of SIGNALS) process.off(signal, onSignal);
    process.off('exit', clear);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on('exit', clear);
  single.start(total, 0, { loss: '-' });
  return { show: (step, { loss }) => single.update(step, { loss: loss.toFixed(4) }), clear };
}

/** A line whenever another tenth of `total` is done. */
function tenths(total: number, line: (step: number, figures: Figures) => void): Display {
  let done = 0;
  return {
    show(step, figures) {
      const now = Math.floor((10 * step) / total);
      if (now > done) line(step, figures);
      done = Math.max(done, now);
    },
    clear() {},
  };
}
