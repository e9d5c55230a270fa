/**
 * Checks the models of the threads' protocol exhaustively, by spin. The tests do so for two ranks;
 *
 *     npx tsx test/models/check.ts 3             # three ranks: some minutes and 2 GB
 *     npx tsx test/models/check.ts 3 killed      # one fault of them
 *
 * does so for three, and plants every mistake that rounds.pml knows, which must be found.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Result of a search. */
export interface Verdict {
  readonly errors: number;
  /** States that the search went through. */
  readonly states: number;
  /** True if all states were looked at: a search ends early at an error, or for want of memory. */
  readonly isWhole: boolean;
  readonly output: string;
}

/** MB that a search may take, and steps of its longest path. */
const MOST_MB = 6000;
const MOST_STEPS = 100_000;

/** Ways in which a rank fails in rounds.pml, by their numbers there; none comes first. */
export const FAULTS = ['none', 'throws', 'leaves', 'killed'] as const;

/** Mistakes that rounds.pml can plant, by their numbers there less 1, and a case that shows each. */
export const FLAWS = [
  { flaw: 'no look for failures between arming and sleeping', fault: 'throws', ranks: 2 },
  { flaw: 'one slot a member', fault: 'none', ranks: 2 },
  { flaw: 'the number of the round before its data', fault: 'none', ranks: 2 },
  { flaw: 'bells before the number of the round', fault: 'none', ranks: 2 },
  { flaw: 'the bell read after the last look', fault: 'none', ranks: 2 },
  { flaw: 'a frame looked for before its member is seen to be gone', fault: 'leaves', ranks: 2 },
  { flaw: 'one sleeper rung of two', fault: 'none', ranks: 3 },
] as const;

/** @param definitions of the model's preprocessor, such as `N: 2` */
export function check(model: string, definitions: Readonly<Record<string, number>>): Verdict {
  const folder = mkdtempSync(join(tmpdir(), 'syncbn-model-'));
  const run = (command: string, args: readonly string[]) =>
    execFileSync(command, args, { cwd: folder, encoding: 'utf8' });
  try {
    const path = fileURLToPath(new URL(`./${model}.pml`, import.meta.url));
    const options = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
    run('spin', [...options, '-a', path]);
    // Compiling takes longer than the search among few states.
    const optimization = (definitions.N ?? 2) > 2 ? '-O2' : '-O0';
    const limits = ['-DSAFETY', '-DCOLLAPSE', `-DMEMLIM=${MOST_MB}`];
    run('gcc', [optimization, ...limits, '-o', 'pan', 'pan.c']);
    const output = run('./pan', [`-m${MOST_STEPS}`]);
    const [, errors] = /errors: (\d+)/.exec(output) ?? [];
    const [, states] = /(\S+) states, stored/.exec(output) ?? [];
    const isWhole = !/Search not completed|search depth too small/.test(output);
    return { errors: Number(errors), states: Number(states), isWhole, output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Checks rounds.pml with a fault, and without a mistake unless one of {@link FLAWS} is named. */
export function checkRounds(
  ranks: number,
  rounds: number,
  fault: (typeof FAULTS)[number],
  flaw?: (typeof FLAWS)[number],
): Verdict {
  const numbers = { FAULT: FAULTS.indexOf(fault), FLAW: flaw ? FLAWS.indexOf(flaw) + 1 : 0 };
  return check('rounds', { N: ranks, K: rounds, ...numbers });
}

function main(ranks: number, faults: readonly (typeof FAULTS)[number][]): void {
  const tell = (isRight: boolean, text: string) => {
    console.log(`${isRight ? 'ok' : 'WRONG'} ${text}`);
    if (!isRight) process.exitCode = 1;
  };
  for (const each of FLAWS) {
    const { errors, states } = checkRounds(Math.max(ranks, each.ranks), 3, each.fault, each);
    tell(errors > 0, `planted: ${each.flaw}: ${errors} errors in ${states} states`);
  }
  for (const fault of faults) {
    const start = performance.now();
    const { errors, states, isWhole, output } = checkRounds(ranks, 3, fault);
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    const [, megabytes] = /(\S+)\s+total actual memory/.exec(output) ?? [];
    const whole = isWhole ? 'all' : 'NOT all';
    const what = `${errors} errors in ${states} states, ${whole} there are`;
    tell(
      errors === 0 && isWhole,
      `${ranks} ranks, ${fault}: ${what}; ${seconds} s, ${megabytes} MB`,
    );
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [ranks = '2', ...asked] = process.argv.slice(2);
  main(Number(ranks), asked.length === 0 ? FAULTS : FAULTS.filter((name) => asked.includes(name)));
}
