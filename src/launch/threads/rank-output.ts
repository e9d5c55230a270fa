/**
 * Sends a rank's standard output and error where the plan says, each write at once and in order.
 * Node would pass them through the main thread by way of this thread's event loop, so whatever a
 * rank says before it blocks would be lost when it is ended there.
 */

import { openSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import type { OutputStream } from './events.js';
import type { RankOutput, RankReport } from './protocol.js';
import { writeAll } from './write-all.js';

const DESCRIPTORS: Record<OutputStream, number> = { stdout: 1, stderr: 2 };

/** Redirects `process.stdout` and `process.stderr`, and with them the console and warnings. */
export function captureOutput(output: RankOutput, report: (report: RankReport) => void): void {
  const log = logSink(output);
  for (const stream of ['stdout', 'stderr'] as const) {
    const sinks = [log, consoleSink(output, stream), reportSink(output, stream, report)];
    redirect(process[stream], (chunk) => {
      for (const sink of sinks) sink?.(chunk);
    });
  }
}

type Sink = (chunk: Buffer) => void;

/** Replaces how `stream` writes; buffering, callbacks and events stay the stream's own. */
function redirect(stream: NodeJS.WritableStream, sink: Sink): void {
  Object.assign(stream, {
    _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void) {
      try {
        sink(chunk);
        done();
      } catch (error) {
        done(error as Error);
      }
    },
    // The thread's own batch write would win over _write.
    _writev: null,
  });
}

/** Opened in the rank's own thread, to write at the end, wherever that is. */
function logSink({ log }: RankOutput): Sink | null {
  if (log === null) return null;
  const file = openSync(log, 'a');
  return (chunk) => writeAll(file, chunk);
}

/** A console whose reader is gone (`| head`) is no reason to fail: the rank goes on without. */
function consoleSink(output: RankOutput, stream: OutputStream): Sink | null {
  let open = output.console;
  if (!open) return null;
  return (chunk) => {
    try {
      if (open) writeAll(DESCRIPTORS[stream], chunk);
    } catch {
      open = false;
    }
  };
}

function reportSink(
  output: RankOutput,
  stream: OutputStream,
  report: (report: RankReport) => void,
): Sink | null {
  if (!output.report) return null;
  const decoder = new StringDecoder();
  return (chunk) => report({ kind: 'output', stream, text: decoder.write(chunk) });
}
