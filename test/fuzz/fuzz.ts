/** Runs a call with odd arguments, shrinks those that it answers wrongly, and reports them. */

import fc from 'fast-check';
import type { Call } from './call.js';
import { judgeError } from './judge.js';
import type { Recipe } from './odd.js';

/** Milliseconds of the processor that one call may take. */
const LIMIT_MS = 1000;

/** What is wrong with what the call does with these arguments, or null. */
export async function tryCall(call: Call, recipes: readonly Recipe[]): Promise<string | null> {
  const args = recipes.map((made) => made.make());
  const start = busyMilliseconds();
  const wrong = await outcome(call, args);
  const took = busyMilliseconds() - start;
  if (wrong !== null || took < LIMIT_MS) return wrong;
  return `took ${Math.round(took)} ms`;
}

/** Of the processor, which others may have in between. What waits instead is the watchdog's. */
function busyMilliseconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function outcome(call: Call, args: readonly unknown[]): Promise<string | null> {
  let result: unknown;
  try {
    result = call.run(...(args as never[]));
    // Only its own: an odd value may have a method called `then`.
    if (result instanceof Promise) result = await result;
  } catch (error) {
    return judgeError(error, call);
  }
  const wrong = call.check?.(result, args) ?? null;
  return wrong === null ? null : `accepted, with a wrong result: ${wrong}`;
}

export interface Finding {
  readonly call: string;
  /** The smallest arguments that were found. */
  readonly args: string;
  readonly wrong: string;
}

/**
 * Fuzzes one call.
 * @param onRun called before each run
 * @returns what it does wrong, or null after `runs` runs without a fault
 */
export async function fuzzCall(
  call: Call,
  runs: number,
  seed: number,
  onRun: () => void = () => {},
): Promise<Finding | null> {
  const property = fc.asyncProperty(call.args, async (recipes) => {
    onRun();
    return (await tryCall(call, recipes)) === null;
  });
  const { failed, counterexample } = await fc.check(property, { numRuns: runs, seed });
  if (!failed || counterexample === null) return null;
  const [recipes] = counterexample;
  const args = recipes.map(({ text }) => text).join(', ');
  const wrong = (await tryCall(call, recipes)) ?? 'wrong at first, right when tried again';
  return { call: call.name, args, wrong };
}
