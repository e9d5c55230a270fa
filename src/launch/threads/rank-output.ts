/**
 * Sends a rank's standard output and error to the plan's sinks, each write at once and in order.
 * Node would pass writes on when this thread's event loop comes round. Output that a rank writes
 * before it blocks would be lost if the rank is ended there.
 */

import { Console } from 'node:console';
import { constants, openSync } from 'node:fs';
import { writeAll } from '../common/write-all.js';
import { BOARD, HIGH_WATER, type RankPlan, type RankReport } from './protocol.js';

type Sink = (chunk: Uint8Array) => void;

/**
 * Redirects `process.stdout` and `process.stderr`, and with them the console and warnings.
 * @returns a function that writes to the log alone, or null without a log
 */
export function captureOutput(plan: RankPlan, report: (report: RankReport) => void): Sink | null {
  const log = logSink(plan, report);
  for (const stream of ['stdout', 'stderr'] as const) {
    redirect(process[stream], (chunk) => {
      log?.(chunk);
      if (!plan.sendsOutput) return;
      // A copy: the stream's own buffer may be a slice of a pool that others write to.
      report({ kind: 'output', stream, bytes: new Uint8Array(chunk) });
      holdBack(plan.board, chunk.length);
    });
  }
  // Deno's console goes past process.stdout.
  if ('deno' in process.versions) globalThis.console = new Console(process.stdout, process.stderr);
  return log;
}

/** Replaces the writing of `stream`; buffering, callbacks and events stay the stream's own. */
function redirect(stream: NodeJS.WritableStream, sink: Sink): void {
  Object.assign(stream, {
    _write(chunk: Uint8Array | string, encoding: BufferEncoding, done: (error?: Error) => void) {
      try {
        // A thread's own stream leaves texts as they are.
        sink(typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    // The thread's own batch write would win over _write.
    _writev: null,
  });
}

/** Opened in the rank's own thread. A log that fails is reported once, and the rank goes on. */
function logSink({ log }: RankPlan, report: (report: RankReport) => void): Sink | null {
  if (log === null) return null;
  let file: number | null = null;
  const fail = (error: unknown) => {
    file = null;
    report({ kind: 'log', text: (error as Error).message });
  };
  try {
    const { O_WRONLY, O_APPEND, O_NOFOLLOW = 0 } = constants;
    file = openSync(log, O_WRONLY | O_APPEND | O_NOFOLLOW);
  } catch (error) {
    fail(error);
  }
  return (chunk) => {
    if (file === null) return;
    try {
      writeAll(file, chunk);
    } catch (error) {
      fail(error);
    }
  };
}

/** Waits while the launcher is behind: pending output takes its memory. */
function holdBack(board: Int32Array, sent: number): void {
  let pending = Atomics.add(board, BOARD.pending, sent) + sent;
  while (pending > HIGH_WATER) {
    Atomics.wait(board, BOARD.pending, pending);
    pending = Atomics.load(board, BOARD.pending);
  }
}
