/**
 * Errors of ranks and collectives. Wrong arguments are TypeError and RangeError, as in MindSpore
 * (whose ValueError is RangeError here); these errors are for failures between ranks.
 */

import { builtin } from './platform.js';

/** A collective failed. It fails on every rank that takes part. */
export class CollectiveError extends Error {
  override name = 'CollectiveError';
}

/** Ranks called different collectives at the same place of their programs. */
export class MismatchError extends CollectiveError {
  override name = 'MismatchError';
}

/** A collective's deadline passed, or ranks wait for one another in a circle. */
export class DeadlineError extends CollectiveError {
  override name = 'DeadlineError';
}

/** Another rank threw, died or left. */
export class RankFailedError extends CollectiveError {
  override name = 'RankFailedError';
  /** World rank that failed. */
  readonly rank: number;

  constructor(rank: number, message: string) {
    super(message);
    this.rank = rank;
  }
}

/** Most characters of a message to other ranks; an error may carry a whole batch. */
const MAX_TEXT = 16_384;

/** Describes any error, even one that is not an Error, as `Name: message`. */
export function describeError(error: unknown): string {
  return told(() => {
    if (error instanceof Error) return `${error.name}: ${error.message}`;
    return isObject(error) ? inspect(error, { breakLength: Infinity }) : String(error);
  });
}

/** Describes any error as Node prints it: with its stack, its causes and its properties. */
export function explainError(error: unknown): string {
  return told(() => {
    const { stack } = isObject(error) ? (error as Error) : { stack: undefined };
    // Looking for causes in a stack this long takes more memory than a failing rank may have.
    if (typeof stack === 'string' && stack.length > MAX_TEXT) return stack;
    return isObject(error) ? inspect(error, { depth: 4 }) : String(error);
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function inspect(value: object, options: object): string {
  const text = builtin<typeof import('node:util')>('node:util')?.inspect(value, options);
  return text ?? (value instanceof Error ? (value.stack ?? String(value)) : String(value));
}

/** Bounds a text; an error may throw when it is read. */
function told(text: () => string): string {
  try {
    const all = text();
    if (all.length <= MAX_TEXT) return all;
    return `${all.slice(0, MAX_TEXT)}... (${all.length} characters)`;
  } catch {
    return 'a value that cannot be shown';
  }
}
