/**
 * First module of every rank's thread: sends its output where it belongs, tells the other ranks
 * when this one fails, and then runs the script.
 */

import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { parentPort, workerData } from 'node:worker_threads';
import { describeError } from '../../core/errors.js';
import { failThreadWorld } from '../../group/thread/world.js';
import type { RankData, RankReport } from './protocol.js';
import { captureOutput } from './rank-output.js';
import type { Tsx } from './typescript.js';

const { syncbn: handle, launch: plan } = workerData as RankData;

function report(message: RankReport): void {
  plan.reports.postMessage(message);
}

/**
 * Ends the world as soon as this rank fails. The launcher would do it as well, but only once the
 * thread has ended, and then other ranks, which fail because of this one, could come first.
 */
function watchFailures(): void {
  process.on('uncaughtExceptionMonitor', (error) => {
    // The script has its own handler, and lives on.
    if (process.listenerCount('uncaughtException') > 0) return;
    failThreadWorld(handle, `rank ${handle.rank} failed: ${describeError(error)}`);
    process.stderr.write(`rank ${handle.rank} failed: ${inspect(error)}\n`);
  });
  process.on('exit', (code) => {
    if (code !== 0) failThreadWorld(handle, `rank ${handle.rank} failed: exit code ${code}`);
  });
}

function sendResult(value: unknown): void {
  try {
    report({ kind: 'result', value });
  } catch (cause) {
    const why = describeError(cause);
    throw new TypeError(`main returned what cannot be copied to the launcher: ${why}`, { cause });
  }
}

/** Makes `import` and `require` read TypeScript. */
async function registerTsx({ esm, cjs }: Tsx): Promise<void> {
  for (const url of [esm, cjs]) {
    const { register } = (await import(url)) as { register: () => unknown };
    register();
  }
}

type Main = (data: unknown) => unknown;

interface Script {
  readonly main?: Main;
  /** A CommonJS script has its exports here. */
  readonly default?: { readonly main?: Main };
}

/** `await init()` at the top is how most scripts begin, and tsx's own message names no remedy. */
async function importScript(): Promise<Script> {
  try {
    return await import(plan.script);
  } catch (cause) {
    if (plan.tsx === null || !/top-level await/i.test(String(cause))) throw cause;
    throw new SyntaxError(
      `${fileURLToPath(plan.script)} has a top-level await, which only ES modules may have: ` +
        'name it .mts, or write "type": "module" into its package.json',
      { cause },
    );
  }
}

async function runScript(): Promise<void> {
  if (plan.program) process.argv[1] = fileURLToPath(plan.script);
  if (plan.tsx !== null) await registerTsx(plan.tsx);
  report({ kind: 'started' });
  const script = await importScript();
  const main = script.main ?? script.default?.main;
  if (plan.program || typeof main !== 'function') return;
  sendResult(await main(plan.data));
  // A listener that main left on the port must not keep the thread alive.
  parentPort?.unref();
}

captureOutput(plan.output, report);
watchFailures();
await runScript();
