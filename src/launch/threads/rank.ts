/**
 * Runs in every rank's thread before its script: sends the output to its sinks, passes signals on,
 * and tells the other ranks when this one fails. Does nothing in threads that a script starts,
 * which inherit it from the rank.
 */

import { isMainThread, workerData } from 'node:worker_threads';
import { describeError, explainError, RankFailedError } from '../../core/errors.js';
import { setLaunchedRank } from '../../core/platform.js';
import { failThreadWorld } from '../../group/thread/world.js';
import { explainSyntaxError } from '../common/syntax-error.js';
import { type EndSignal, statusOf } from '../world/signals.js';
import {
  BOARD,
  hearingBit,
  type RankData,
  type RankPlan,
  type RankReport,
  type RankRequest,
} from './protocol.js';
import { captureOutput } from './rank-output.js';
import type { Tsx } from './typescript.js';

const data = (isMainThread ? null : workerData) as Partial<RankData> | null;

/** The plan of this thread's rank; null when the thread is not a rank's. */
export const plan: RankPlan | null = data?.launch?.reports === undefined ? null : data.launch;

export function report(message: RankReport): void {
  plan?.reports.postMessage(message);
}

/**
 * Ends the world as soon as this rank fails. The launcher would do it as well, but only once the
 * thread has ended, and then other ranks, which fail because of this one, could come first.
 */
function watchFailures(handle: RankData['syncbn'], say: (text: string) => void): void {
  const { rank } = handle;
  const onThrown = (error: unknown) => {
    // The script has its own handler, and lives on.
    if (process.listenerCount('uncaughtException') > 0) return;
    failThreadWorld(handle, `rank ${rank} failed: ${describeError(error)}`);
    const text = explain(error);
    say(`rank ${rank} failed: ${text}\n`);
    report({ kind: 'thrown', text, because: error instanceof RankFailedError });
    // An error that takes longer to tell than to understand would have to be copied once more.
    if (isHuge(error)) process.exit(1);
  };
  process.on('uncaughtExceptionMonitor', onThrown);
  // Bun calls no monitor for rejections.
  if ('bun' in process.versions) {
    process.on('unhandledRejection', (reason) => {
      onThrown(reason);
      process.exit(1);
    });
  }
  process.on('exit', (code) => {
    if (code !== 0) failThreadWorld(handle, `rank ${rank} failed: exit code ${code}`);
  });
}

/** `await init()` at the top is how most scripts begin, and tsx's own message names no remedy. */
function explain(error: unknown): string {
  const text = explainSyntaxError(error, process.argv[1]) ?? explainError(error);
  if (!plan?.tsx || !/top-level await/i.test(text)) return text;
  return (
    `${text}\nOnly ES modules may have a top-level await: name the script .mts, or write ` +
    '"type": "module" into its package.json'
  );
}

const HUGE = 1 << 20;

function isHuge(error: unknown): boolean {
  try {
    return String((error as Error)?.message ?? error).length > HUGE;
  } catch {
    return false;
  }
}

/** Notes on the board which events the script listens to, and obeys the launcher's requests. */
function passSignals({ board, reports }: RankPlan): void {
  const note = (event: string | symbol, extra: number) => {
    const bit = hearingBit(String(event));
    if (bit === 0) return;
    if (process.listenerCount(event) + extra > 0) Atomics.or(board, BOARD.hearing, bit);
    else Atomics.and(board, BOARD.hearing, ~bit);
  };
  process.on('newListener', (event) => note(event, 1));
  process.on('removeListener', (event) => note(event, 0));
  reports.on('message', ({ signal }: RankRequest) => {
    const name = signal as EndSignal;
    if (process.listenerCount(name) === 0) process.exit(statusOf(name));
    process.emit(name, name);
  });
  reports.unref();
}

/** Makes `import` and `require` read TypeScript. */
async function registerTsx({ esm, cjs }: Tsx): Promise<void> {
  for (const url of [esm, cjs]) {
    const { register } = (await import(url)) as { register: () => unknown };
    register();
  }
}

/** Threads of the script must not begin with this module: they inherit `process.execArgv`. */
function hideFrom(execArgv: string[]): void {
  const at = execArgv.indexOf(import.meta.url);
  if (at > 0) execArgv.splice(at - 1, 2);
}

async function setUp(plan: RankPlan, handle: RankData['syncbn']): Promise<void> {
  const logOnly = captureOutput(plan, report);
  hideFrom(process.execArgv);
  setLaunchedRank({ world: handle, joined: () => report({ kind: 'joined' }) });
  // The launcher shows errors, once for all ranks alike; without a log they have to be printed.
  const encoder = new TextEncoder();
  watchFailures(handle, (text) => {
    if (logOnly === null) process.stderr.write(text);
    else logOnly(encoder.encode(text));
  });
  // After the listeners above, which are not the script's.
  passSignals(plan);
  if (plan.tsx !== null) await registerTsx(plan.tsx);
  report({ kind: 'started' });
}

if (plan !== null && data?.syncbn !== undefined) await setUp(plan, data.syncbn);
