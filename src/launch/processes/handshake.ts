/**
 * Both ends of a connection prove that they know the shared secret, without sending it: each signs
 * the other's random challenge. The key of the session comes from the same challenges.
 */

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { LineReader } from './lines.js';

/** Changes with the protocol, so that versions that cannot talk say so. */
const PROTOCOL = 'syncbn-launch-1';
/** Longest line of a stranger. */
const MAX_LINE = 512;

export interface Session {
  readonly socket: Socket;
  /** What has come in, and will. */
  readonly lines: LineReader;
  /** Signs every later line. */
  readonly key: Buffer;
}

export type Side = 'hub' | 'host';

function sign(secret: string, ...parts: readonly string[]): Buffer {
  return createHmac('sha256', secret).update(parts.join('\n')).digest();
}

function proves(proof: string, expected: Buffer): boolean {
  const given = Buffer.from(proof, 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/**
 * Greets the other end and checks it.
 * @param deadline milliseconds until it must have proved itself
 * @throws Error that says what was wrong: no protocol, another version, a wrong secret, silence
 */
export async function shakeHands(
  socket: Socket,
  side: Side,
  secret: string,
  deadline: number,
): Promise<Session> {
  const lines = new LineReader(socket, MAX_LINE);
  const timer = setTimeout(
    () => socket.destroy(new Error('no proof of the secret in time')),
    deadline,
  );
  try {
    const mine = randomBytes(32).toString('hex');
    socket.write(`${PROTOCOL} ${mine}\n`);
    const theirs = challengeOf(await lines.next());
    const challenges = side === 'hub' ? [mine, theirs] : [theirs, mine];
    const other: Side = side === 'hub' ? 'host' : 'hub';
    socket.write(`${sign(secret, side, ...challenges).toString('hex')}\n`);
    if (!proves(await lines.next(), sign(secret, other, ...challenges))) {
      throw new Error('the secrets of the two hosts differ');
    }
    return { socket, lines, key: sign(secret, 'session', ...challenges) };
  } finally {
    clearTimeout(timer);
  }
}

function challengeOf(line: string): string {
  const [protocol, challenge, ...rest] = line.split(' ');
  if (protocol !== PROTOCOL)
    throw new Error('it does not speak the protocol of this version of syncbn');
  if (rest.length > 0 || !/^[0-9a-f]{64}$/.test(challenge ?? '')) {
    throw new Error('its greeting is garbled');
  }
  return challenge;
}
