/** Several hosts' parts of a launch, in this process and over loopback addresses. */

import { connect, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { workspace } from '../launch/support.js';
import { freePort, startHost as host } from './hosts.js';
import { rankProgram } from './run.js';

const faults = (mode: string) => ({ script: rankProgram('mpi-faults'), args: [mode] });

describe('a launch on several hosts', () => {
  test.each(['127.0.0.1', '::1', '[::1]'])(
    'forms one world around %s',
    async (masterAddr) => {
      const port = await freePort(masterAddr.replace(/[[\]]/g, ''));
      const options = { ...faults('release'), masterAddr, workerNum: 3 };
      // The other comes first, and waits for the one that listens.
      const ends = await Promise.all([
        host(port, { ...options, nodeRank: 1, localWorkerNum: 1 }),
        host(port, { ...options, nodeRank: 0, localWorkerNum: 2 }),
      ]);
      expect(ends.map(({ error }) => error)).toEqual([null, null]);
      expect(ends[0].output).toContain('rank 2 released');
      for (const rank of [0, 1]) expect(ends[1].output).toContain(`rank ${rank} released`);
    },
    120_000,
  );

  test('gives node ranks in the order of arrival', async () => {
    const port = await freePort();
    const options = { ...faults('release'), workerNum: 3, localWorkerNum: 1 };
    const ends = await Promise.all([host(port, options), host(port, options), host(port, options)]);
    expect(ends.map(({ error }) => error)).toEqual([null, null, null]);
    const ranks = ends.map(({ output }) => /rank (\d) released/.exec(output)?.[1]);
    expect(ranks.sort()).toEqual(['0', '1', '2']);
  });

  test.each([
    ['throw', 'failed with exit code 1', 1],
    ['exit-code', 'failed with exit code 7', 7],
    ['kill', 'ended by SIGKILL', 137],
  ])("a rank's failure (%s) ends all hosts in the same words", async (mode, text, exitCode) => {
    const port = await freePort();
    const ends = await Promise.all([
      host(port, { ...faults(mode), nodeRank: 0 }),
      host(port, { ...faults(mode), nodeRank: 1 }),
    ]);
    for (const { error } of ends) {
      expect(error?.message).toBe(`launch: rank 3 on host ${hostname()} ${text}`);
      expect(error?.exitCode).toBe(exitCode);
    }
  });

  test('exit(-1) on one host is status 255 on both', async () => {
    const text = `import { getRank, init } from 'syncbn';
      await init();
      if (getRank() === 3) process.exit(-1);
      setInterval(() => {}, 1000);`;
    const script = join(workspace({ 'a.mjs': text }), 'a.mjs');
    const port = await freePort();
    const ends = await Promise.all([0, 1].map((nodeRank) => host(port, { script, nodeRank })));
    for (const { error } of ends) expect(error).toMatchObject({ exitCode: 255, rank: 3 });
  });

  test('a wrong secret is refused on both sides, and the world still forms', async () => {
    const port = await freePort();
    const hub = host(port, { ...faults('release'), nodeRank: 0 });
    const other = { secret: 'another secret altogether', clusterTimeOut: 1 };
    const stranger = await host(port, { ...faults('release'), nodeRank: 1, ...other });
    expect(stranger.error?.message).toContain('the secrets of the two hosts differ');
    const member = await host(port, { ...faults('release'), nodeRank: 1 });
    expect(member.error).toBeNull();
    const { error, notes } = await hub;
    expect(error).toBeNull();
    expect(notes.join()).toContain('the secrets of the two hosts differ');
  });

  test('strangers who talk nonsense, too much or not at all do no harm', async () => {
    const port = await freePort();
    const hub = host(port, { ...faults('release'), nodeRank: 0 });
    const strangers: Socket[] = [];
    for (const text of ['GET / HTTP/1.1\r\n\r\n', 'x'.repeat(100_000), '\0\n\xff\n', '']) {
      const socket = await dial(port);
      socket.write(text);
      strangers.push(socket);
    }
    const member = await host(port, { ...faults('release'), nodeRank: 1 });
    expect(member.error).toBeNull();
    expect((await hub).error).toBeNull();
    for (const socket of strangers) socket.destroy();
  });

  test('two hosts of one node rank', async () => {
    const port = await freePort();
    const ends = await Promise.all([
      host(port, { nodeRank: 0, localWorkerNum: 1 }),
      host(port, { nodeRank: 1, localWorkerNum: 1 }),
      host(port, { nodeRank: 1, localWorkerNum: 1 }),
    ]);
    for (const { error } of ends) expect(error?.message).toContain('both have node rank 1');
  });

  test('two hosts that both listen', async () => {
    const port = await freePort();
    const stop = new AbortController();
    const first = host(port, { nodeRank: 0, signal: stop.signal });
    await dial(port).then((socket) => socket.destroy());
    const second = await host(port, { nodeRank: 0 });
    expect(second.error?.message).toContain(`cannot listen at 127.0.0.1:${port}`);
    stop.abort();
    expect((await first).error?.message).toContain('interrupted');
  });

  test('hosts that were told of different worlds', async () => {
    const port = await freePort();
    const ends = await Promise.all([
      host(port, { nodeRank: 0 }),
      host(port, { nodeRank: 1, workerNum: 6 }),
    ]);
    for (const { error } of ends) {
      expect(error?.message).toContain('was told of 6 workers in all');
    }
  });

  test('more ranks than the world has', async () => {
    const port = await freePort();
    const ends = await Promise.all([
      host(port, { nodeRank: 0, localWorkerNum: 2 }),
      host(port, { nodeRank: 1, localWorkerNum: 3 }),
    ]);
    for (const { error } of ends) expect(error?.message).toContain('more than the 4 in all');
  });

  test('a host that never comes', async () => {
    const port = await freePort();
    const ends = await Promise.all([
      host(port, { nodeRank: 0, workerNum: 6, clusterTimeOut: 1 }),
      host(port, { nodeRank: 1, workerNum: 6, clusterTimeOut: 10 }),
    ]);
    for (const { error } of ends) {
      expect(error?.message).toContain('4 of 6 ranks came within 1 s');
    }
  });

  test('no host with node rank 0', async () => {
    const port = await freePort();
    const { error } = await host(port, { nodeRank: 1, clusterTimeOut: 1 });
    expect(error?.message).toMatch(/no world at 127\.0\.0\.1:\d+ within 1 s: .*ECONNREFUSED/);
  });
});

function dial(port: number): Promise<Socket> {
  return new Promise((resolve) => {
    const attempt = () => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(socket.on('error', () => {})));
      socket.once('error', () => setTimeout(attempt, 50));
    };
    attempt();
  });
}
