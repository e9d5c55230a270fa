/**
 * Checks the models of the threads' protocol exhaustively, by spin: `npx tsx test/models/check.ts 3`
 * does so for three ranks, which takes minutes and some gigabytes; the tests do so for two.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What spin found: errors, and the states that it went through. */
export interface Verdict {
  readonly errors: number;
  readonly states: number;
  readonly output: string;
}

/** @param definitions of the model's preprocessor, such as `N: 2` */
export function check(model: string, definitions: Readonly<Record<string, number>>): Verdict {
  const folder = mkdtempSync(join(tmpdir(), 'syncbn-model-'));
  const run = (command: string, args: readonly string[]) =>
    execFileSync(command, args, { cwd: folder, encoding: 'utf8' });
  try {
    const path = fileURLToPath(new URL(`./${model}.pml`, import.meta.url));
    const options = Object.entries(definitions).map(([name, value]) => `-D${name}=${value}`);
    run('spin', [...options, '-a', path]);
    run('gcc', ['-O2', '-DSAFETY', '-DCOLLAPSE', '-o', 'pan', 'pan.c']);
    const output = run('./pan', ['-m1000000']);
    const [, errors] = /errors: (\d+)/.exec(output) ?? [];
    const [, states] = /(\S+) states, stored/.exec(output) ?? [];
    return { errors: Number(errors), states: Number(states), output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Ways in which a rank fails in rounds.pml. */
export const FAULTS = ['none', 'throws', 'leaves', 'is killed'] as const;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const ranks = Number(process.argv[2] ?? 2);
  for (const [fault, name] of FAULTS.entries()) {
    const { errors, states } = check('rounds', { N: ranks, K: ranks === 2 ? 3 : 2, FAULT: fault });
    console.log(`${ranks} ranks, fault '${name}': ${errors} errors in ${states} states`);
    if (errors !== 0) process.exitCode = 1;
  }
}
