/**
 * Both ends of a connection prove that they know the shared secret, without sending it: each signs
 * the other end's random challenge, the host first, so that a stranger learns nothing from the hub.
 * The key of the session comes from the same challenges. Both sign with a key that is stretched
 * from the secret: guessing a weak secret from an overheard proof takes a tenth of a second a
 * guess.
 */

import { createHmac, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import { LineReader } from './lines.js';

/** Changes with the protocol, so that versions that cannot talk say so. */
const PROTOCOL = 'syncbn-launch-2';
/** Line that the hub sends instead of its proof. */
const REFUSAL = 'refused';
const DIFFERENT = 'the secrets of the two hosts differ';
/** Longest line of a stranger. */
const MAX_LINE = 512;
/** 32 MiB and some 80 ms. */
const STRETCHING = { N: 2 ** 15, r: 8, p: 1, maxmem: 2 ** 26 };

export interface Session {
  readonly socket: Socket;
  /** The lines that have come, and later ones. */
  readonly lines: LineReader;
  /** Signs every later line. */
  readonly key: Buffer;
}

export type Side = 'hub' | 'host';

/** Stretches the secret into the key that hosts sign with. */
export function stretch(secret: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(secret, PROTOCOL, 32, STRETCHING, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}

function sign(key: Buffer, ...parts: readonly string[]): Buffer {
  return createHmac('sha256', key).update(parts.join('\n')).digest();
}

function proves(proof: string, expected: Buffer): boolean {
  const given = Buffer.from(/^[0-9a-f]{64}$/.test(proof) ? proof : '', 'hex');
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/**
 * Greets the other end and checks it.
 * @param key of {@link stretch}
 * @param deadline milliseconds until the other end must have proved itself
 * @throws Error that names the fault: no protocol, another version, a wrong secret, silence
 */
export async function shakeHands(
  socket: Socket,
  side: Side,
  key: Buffer,
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
    const proof = (of: Side) => sign(key, of, ...challenges);
    const prove = () => socket.write(`${proof(side).toString('hex')}\n`);
    if (side === 'host') prove();
    if (!proves(await lines.next(), proof(side === 'hub' ? 'host' : 'hub'))) {
      if (side === 'hub') socket.write(`${REFUSAL}\n`);
      throw new Error(DIFFERENT);
    }
    if (side === 'hub') prove();
    return { socket, lines, key: sign(key, 'session', ...challenges) };
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
