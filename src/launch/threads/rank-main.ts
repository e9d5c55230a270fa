/**
 * Main module of a rank's thread that runs a script as a module: calls its exported `main`.
 * On Deno and Bun, whose threads begin with no other module, it also runs programs.
 */

import { fileURLToPath } from 'node:url';
import { parentPort } from 'node:worker_threads';
import { describeError } from '../../core/errors.js';
import { plan, report } from './rank.js';

function sendResult(value: unknown): void {
  try {
    report({ kind: 'result', value });
  } catch (cause) {
    const why = describeError(cause);
    throw new TypeError(`main returned what cannot be copied to the launcher: ${why}`, { cause });
  }
}

type Main = (data: unknown) => unknown;

interface Script {
  readonly main?: Main;
  /** A CommonJS script has its exports here. */
  readonly default?: { readonly main?: Main };
}

if (plan !== null) {
  if (plan.program) process.argv[1] = fileURLToPath(plan.script);
  const script = (await import(plan.script)) as Script;
  const main = script.main ?? script.default?.main;
  if (!plan.program && typeof main === 'function') {
    sendResult(await main(plan.data));
    // A listener that main left on the port must not keep the thread alive.
    parentPort?.unref();
  }
}
