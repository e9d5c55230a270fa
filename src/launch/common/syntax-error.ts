/**
 * Finds the place of a syntax error. Node prints it for a program, but the error object of an ES
 * module does not have it. So another Node reads the script and its imports once more, and runs
 * nothing.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { entryOf } from './entry.js';

/** Milliseconds that the search may take. */
const LIMIT_MS = 5000;

/** Returns the error as Node prints it, with file, line and code; null when it has its place. */
export function explainSyntaxError(error: unknown, script: string | undefined): string | null {
  if (!(error instanceof SyntaxError) || script === undefined) return null;
  // With a place, the stack begins with it.
  if (!String(error.stack).startsWith(error.name)) return null;
  const words = ['--experimental-vm-modules', '--no-warnings'];
  const reader = fileURLToPath(entryOf('common/read-modules.js'));
  const options = { encoding: 'utf8', timeout: LIMIT_MS } as const;
  const { stderr } = spawnSync(process.execPath, [...words, reader, script], options);
  // The stack below is the reader's.
  const [found] = stderr.split('\n    at ', 1);
  return found.includes(error.message) ? found : null;
}
