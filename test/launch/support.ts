/** Runs the built `syncrun` on scripts that a test writes, and says how it ended. */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
export const SYNCRUN = join(ROOT, 'dist/launch/syncrun/main.js');

/** A new folder inside the package, where scripts can import 'syncbn'; gone after the test. */
export function workspace(scripts: Record<string, string> = {}): string {
  mkdirSync(join(ROOT, 'build'), { recursive: true });
  const folder = mkdtempSync(join(ROOT, 'build/launch-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(folder, name), text);
  return folder;
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/** A `syncrun` that runs, with what it has written so far. */
export class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = '';
  #stderr = '';
  #heard: () => void = () => {};

  constructor(
    cwd: string,
    args: readonly string[],
    program = SYNCRUN,
    env: NodeJS.ProcessEnv = process.env,
  ) {
    this.child = spawn(process.execPath, [program, ...args], { cwd, env });
    this.child.stdout?.on('data', (data) => {
      this.#stdout += data;
      this.#heard();
    });
    this.child.stderr?.on('data', (data) => {
      this.#stderr += data;
    });
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  /** Resolves when standard output has `text` `times` times. */
  says(text: string, times: number): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = () => {
        if (this.#stdout.split(text).length > times) resolve();
      };
      this.#heard();
    });
  }
}

export function syncrun(cwd: string, ...args: string[]): Promise<Ended> {
  return new Run(cwd, args).ended;
}

export function read(folder: string, name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

/** Whether `pid` is a process that runs; one that has ended but was not collected does not. */
export function isRunning(pid: number): boolean {
  try {
    const state = execFileSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
    return !state.trim().startsWith('Z');
  } catch {
    return false;
  }
}

/** Resolves when `condition` holds; the test's own time-out is the limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** The process that syncrun says it left in the background; it ends with the test at the latest. */
export function backgroundOf(stdout: string): number {
  const pid = Number(/process (\d+)/.exec(stdout)?.[1]);
  onTestFinished(() => {
    if (pid > 0 && isRunning(pid)) process.kill(pid, 'SIGTERM');
  });
  return pid;
}
