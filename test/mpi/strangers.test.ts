/** Random bytes, thousands of times, at the port where hosts meet. */

import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { freePort, type HostEnd, startHost } from './hosts.js';
import { rankProgram } from './run.js';

const STRINGS = 10_000;
/** Connections at a time; the port takes no more strangers than 64. */
const AT_ONCE = 50;
const SEED = 20_240_611;

/** Marsaglia's xorshift: whole numbers below `limit`. */
function randomFrom(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** Bytes of any kind; every third string begins as the protocol does. */
function randomString(random: (limit: number) => number): Buffer {
  const bytes = Buffer.from(Array.from({ length: random(300) }, () => random(256)));
  if (random(3) > 0) return bytes;
  const challenge = Array.from({ length: 64 }, () => random(16).toString(16)).join('');
  return Buffer.concat([Buffer.from(`syncbn-launch-1 ${challenge}\n`), bytes]);
}

/** Says `bytes` and goes, politely or not. Resolves when the connection is over, however. */
function visit(port: number, bytes: Buffer, polite: boolean): Promise<void> {
  return new Promise((resolve) => {
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.on('close', () => resolve());
    socket.on('data', () => {});
    socket.write(bytes, () => (polite ? socket.end() : socket.destroy()));
  });
}

test('ten thousand strings of random bytes do not keep a world from forming', async () => {
  const port = await freePort();
  const script = { script: rankProgram('mpi-faults'), args: ['release'], clusterTimeOut: 100 };
  const first = startHost(port, { ...script, nodeRank: 0 });
  const random = randomFrom(SEED);
  let sent = 0;
  let second: Promise<HostEnd> | null = null;
  const visitor = async () => {
    while (sent < STRINGS) {
      sent++;
      if (sent === STRINGS / 2) second = startHost(port, { ...script, nodeRank: 1 });
      await visit(port, randomString(random), random(2) === 0);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  for (const { error, output } of [await first, await second!]) {
    expect(error).toBeNull();
    expect(output.match(/rank \d released/g)).toHaveLength(2);
  }
}, 100_000);
