/** What a call may do with odd arguments: a right result, or an error that tells what is wrong. */

import { CollectiveError } from 'syncbn';
import { Trap } from './odd.js';

/** A call under test. */
export interface Judged {
  /** Name that its errors must begin with, or one of several. */
  readonly named: RegExp;
  /** What errors say that are not about arguments. */
  readonly fails?: RegExp;
  /** What is wrong with a result, or null. */
  check?(result: unknown, args: readonly unknown[]): string | null;
}

/** What is wrong with an error that the call threw, or null. */
export function judgeError(error: unknown, { named, fails }: Judged): string | null {
  // The value's own getter or trap threw it: it is the caller's, and passes as it is.
  if (error instanceof Trap || isOfRevoked(error)) return null;
  const text = describe(error);
  // What `raise` is for, and what a tensor without memory is documented to throw.
  if (error instanceof CollectiveError) return null;
  if (error instanceof Error && /^Tensor: .* was disposed$/.test(error.message)) return null;
  if (error instanceof Error && fails?.test(error.message)) return null;
  if (!(error instanceof TypeError || error instanceof RangeError)) {
    return `an error of another kind: ${text}`;
  }
  const { message } = error;
  if (!named.test(message)) return `the call is not named: ${text}`;
  if (message.length > 2000) return `an error of ${message.length} characters`;
  if (hasControls(message)) return `control characters in an error: ${JSON.stringify(message)}`;
  return null;
}

/** Every operation on a revoked proxy throws, as a proxy's trap may. */
const isOfRevoked = (error: unknown) =>
  error instanceof TypeError && /a proxy that has been revoked$/.test(error.message);

/** Characters that a terminal obeys; a line break in the caller's own text as well. */
function hasControls(message: string): boolean {
  for (let i = 0; i < message.length; i++) {
    const code = message.charCodeAt(i);
    if (code < 32 || code === 127) return true;
  }
  return false;
}

function describe(error: unknown): string {
  try {
    return error instanceof Error
      ? `${error.name}: ${error.message.slice(0, 200)}`
      : `a ${typeof error} was thrown`;
  } catch {
    return 'something that cannot be shown was thrown';
  }
}
