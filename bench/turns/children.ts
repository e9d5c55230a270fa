/** Processes of contestants: their last words, and their end. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Collects what a process writes to its standard error; the end of it, for errors. */
export function lastWordsOf(child: ChildProcess): () => string {
  let words = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-4000);
  });
  return () => words.trim();
}

/** Waits for the end of a process that was told to end, for 5 seconds; then ends it. */
export async function ended(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await exited;
  clearTimeout(timer);
}
