/** The log file of each rank: its name, its opening, and its end. */

import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readSync,
} from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { suggestion } from './options/nearest.js';

const PLACEHOLDERS: Record<string, () => string> = { ip: ownAddress, hostname };

/** Lines of a failed rank's log that the launcher shows, and bytes that it looks at for them. */
const TAIL_LINES = 20;
const TAIL_BYTES = 8192;

/**
 * `--worker_log_name` with its placeholders filled in; 'worker' when it is empty.
 * @throws RangeError for an unknown placeholder, or a name that is not one of a file
 */
export function logNameOf(pattern: string): string {
  const name = pattern.replace(/\{([^{}]*)\}/g, (placeholder, word: string) => {
    if (Object.hasOwn(PLACEHOLDERS, word)) return PLACEHOLDERS[word]();
    const words = Object.keys(PLACEHOLDERS).map((known) => `{${known}}`);
    const meant = suggestion(placeholder, words) || `; there are ${words.join(' and ')}`;
    throw new RangeError(`--worker_log_name has no placeholder ${placeholder}${meant}`);
  });
  if (/[{}/\\\0]/.test(name)) {
    throw new RangeError(
      `--worker_log_name must be the name of a file without braces and folders, got '${pattern}'`,
    );
  }
  return name || 'worker';
}

/** This host's first address that others can reach. */
function ownAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const reachable = addresses.filter(({ internal }) => !internal);
  const found = reachable.find(({ family }) => family === 'IPv4') ?? reachable[0];
  return found?.address ?? '127.0.0.1';
}

export function logPath(folder: string, name: string, rank: number): string {
  return join(folder, `${name}_${rank}.log`);
}

/**
 * Makes `folder` when it is missing, and empties and opens the log of each rank.
 * @returns descriptors in rank order
 * @throws RangeError when the folder or a log cannot be written
 */
export function openLogs(folder: string, name: string, ranks: number): number[] {
  const opened: number[] = [];
  try {
    mkdirSync(folder, { recursive: true });
    for (let rank = 0; rank < ranks; rank++) opened.push(openLog(logPath(folder, name, rank)));
    return opened;
  } catch (cause) {
    opened.forEach(closeSync);
    throw unwritable(cause);
  }
}

/** Makes `folder` when it is missing. @throws RangeError when it cannot be written to */
export function prepareFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw unwritable(cause);
  }
}

function unwritable(cause: unknown): RangeError {
  const why = (cause as Error).message;
  return new RangeError(`--log_dir must be a folder that can be written to: ${why}`, { cause });
}

/** Opens a log to write at its end, wherever that is: whoever empties it leaves no hole. */
export function openLog(path: string): number {
  const { O_CREAT, O_TRUNC, O_APPEND, O_RDWR } = constants;
  return openSync(path, O_CREAT | O_TRUNC | O_APPEND | O_RDWR, 0o644);
}

/** The last lines of the log open as `fd`. */
export function logTail(fd: number): string {
  const { size } = fstatSync(fd);
  const start = Math.max(0, size - TAIL_BYTES);
  const bytes = Buffer.alloc(size - start);
  readSync(fd, bytes, 0, bytes.length, start);
  const lines = bytes.toString().trimEnd().split('\n');
  // The first line may have been cut.
  return lines
    .slice(start > 0 ? 1 : 0)
    .slice(-TAIL_LINES)
    .join('\n');
}
