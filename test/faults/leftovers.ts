/** What a run leaves behind: threads of this process; processes and files of its namespace. */

import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** Milliseconds in which what is about to end may end. */
const SETTLE_MS = 3000;

/** Threads of this process. */
export function threadCount(): number {
  return readdirSync('/proc/self/task').length;
}

/** Waits until no more than `most` threads are left; returns how many are too many. */
export async function threadsLeft(most: number): Promise<number> {
  for (let waited = 0; waited < SETTLE_MS; waited += 50) {
    if (threadCount() <= most) return 0;
    await pause(50);
  }
  return threadCount() - most;
}

/** Looks at a namespace in which nobody else works. */
export class Namespace {
  readonly #processes = new Set(processes());
  readonly #files = new Set(files());

  /** What is there now and was not before, a moment after it should have gone; removes it. */
  async leftovers(): Promise<string[]> {
    let left: number[] = [];
    for (let waited = 0; waited < SETTLE_MS; waited += 20) {
      left = processes().filter((pid) => !this.#processes.has(pid));
      if (left.length === 0) break;
      await pause(20);
    }
    const words = left.map((pid) => `process ${pid}: ${read(`/proc/${pid}/cmdline`)}`);
    for (const pid of left) end(pid);
    for (const path of files().filter((path) => !this.#files.has(path))) {
      words.push(`file ${path}`);
      rmSync(path, { recursive: true, force: true });
    }
    return words;
  }
}

/** Processes that are there; one that has ended and was not collected is not. */
function processes(): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => !/\) Z |^$/.test(read(`/proc/${pid}/stat`))).map(Number);
}

function files(): string[] {
  const paths = ['/dev/shm', tmpdir()].flatMap((folder) =>
    readdirSync(folder).map((name) => join(folder, name)),
  );
  return paths.filter((path) => !isSharedSession(path));
}

/** Open MPI's folder for all mpiruns of a user: two that end at once both leave it, empty. */
function isSharedSession(path: string): boolean {
  return basename(path).startsWith('ompi.') && readdirSync(path).length === 0;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}
