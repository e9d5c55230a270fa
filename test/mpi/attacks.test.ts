/** The port where hosts meet, under attack. */

import { createServer } from 'node:net';
import { describe, expect, test } from 'vitest';
import { escapeControls, escapeLine } from '../../src/launch/common/foreign-text.js';
import { stretch } from '../../src/launch/processes/handshake.js';
import { until } from '../launch/support.js';
import { freePort, startHost } from './hosts.js';
import { faults, Insider, PROTOCOL, pause, Stranger, worldDuring } from './intruders.js';
import { rankProgram } from './run.js';

describe('strangers', () => {
  test('learn nothing from the hub before they have proved that they know the secret', async () => {
    const ends = await worldDuring(async (port) => {
      const stranger = await Stranger.dial(port);
      stranger.say(`${PROTOCOL} ${'0'.repeat(64)}`);
      expect(await stranger.line()).toMatch(/^syncbn-launch-2 [0-9a-f]{64}$/);
      await pause(300);
      expect(stranger.lines).toEqual([]);
      stranger.say('0'.repeat(64));
      expect(await stranger.line()).toBe('refused');
    });
    for (const { error } of ends) expect(error).toBeNull();
  });

  test('that hold a hundred idle connections keep no host out', async () => {
    const ends = await worldDuring(async (port) => {
      const strangers: Stranger[] = [];
      while (strangers.length < 100) strangers.push(await Stranger.dial(port));
      await until(() => strangers.some(({ closed }) => closed));
      // The oldest go first.
      const gone = [...strangers.keys()].filter((i) => strangers[i].closed);
      expect(gone.filter((i) => i >= 50)).toEqual([]);
    });
    for (const { error } of ends) expect(error).toBeNull();
  });

  test.each([
    [
      'its own challenge and proof reflected',
      async (stranger: Stranger) => {
        const [, challenge] = (await stranger.line()).split(' ');
        stranger.say(`${PROTOCOL} ${challenge}`);
        stranger.say('f'.repeat(64));
      },
    ],
    [
      'an older protocol',
      async (stranger: Stranger) => stranger.say(`syncbn-launch-1 ${'a'.repeat(64)}`),
    ],
    [
      'a challenge in capitals',
      async (stranger: Stranger) => stranger.say(`${PROTOCOL} ${'A'.repeat(64)}`),
    ],
    [
      'a line without end',
      async (stranger: Stranger) => void stranger.socket.write('a'.repeat(10_000)),
    ],
  ])('with %s are turned away', async (_how, attack) => {
    const ends = await worldDuring(async (port) => {
      const stranger = await Stranger.dial(port);
      await attack(stranger);
      await until(() => stranger.closed);
    });
    for (const { error } of ends) expect(error).toBeNull();
  });

  test('at the address are waited out by a host, which joins when its own hub is there', async () => {
    const port = await freePort();
    const squatter = createServer((socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n', () => socket.destroy());
    }).listen(port, '127.0.0.1');
    const second = startHost(port, { ...faults('release'), nodeRank: 1 });
    await new Promise((resolve) => squatter.once('connection', resolve));
    await pause(300);
    await new Promise((resolve) => squatter.close(resolve));
    const first = await startHost(port, { ...faults('release'), nodeRank: 0 });
    expect(first.error).toBeNull();
    const { error, notes } = await second;
    expect(error).toBeNull();
    expect(notes.join()).toContain('trying again: it does not speak the protocol');
  });

  test('take a tenth of a second for each guess at a secret', async () => {
    const start = performance.now();
    await stretch('password12345678');
    expect(performance.now() - start).toBeGreaterThan(20);
    expect(await stretch('a')).not.toEqual(await stretch('b'));
  });
});

describe('somebody who knows the secret', () => {
  test.each([
    [
      'a line that was sent before',
      (insider: Insider) => {
        insider.send({ type: 'ping' });
        insider.sendLine(0, '{"type":"ping"}');
      },
    ],
    [
      'a line that is signed as the hub',
      (insider: Insider) => insider.sendLine(0, '{"type":"ping"}', 'hub'),
    ],
    ['no message', (insider: Insider) => insider.send('{"type":"reboot"}')],
    [
      'a failure with status 0',
      (insider: Insider) =>
        insider.send({ type: 'fail', failure: { text: 'x', exitCode: 0, rank: null, output: '' } }),
    ],
    [
      'a failure with status -1',
      (insider: Insider) =>
        insider.send({
          type: 'fail',
          failure: { text: 'x', exitCode: -1, rank: null, output: '' },
        }),
    ],
    [
      'keys that are no pairs',
      (insider: Insider) => insider.send({ type: 'barrier', keys: { a: 'b' } }),
    ],
  ])('and sends %s is cut off', async (_what, attack) => {
    const ends = await worldDuring(async (port) => {
      const insider = await Insider.join(port);
      attack(insider);
      await until(() => insider.stranger.closed);
    });
    for (const { error } of ends) expect(error).toBeNull();
  });

  test('and never joins, says that all is done, or fails, keeps nobody from the end', async () => {
    const ends = await worldDuring(async (port) => {
      const insider = await Insider.join(port);
      insider.send({ type: 'done' });
      insider.send({ type: 'barrier', keys: [] });
      const failure = { text: 'x', exitCode: 1, rank: null, output: '' };
      insider.send({ type: 'fail', failure });
      await pause(200);
    });
    for (const { error } of ends) expect(error).toBeNull();
  });

  test('and runs another job is turned away, and the world forms without', async () => {
    const port = await freePort();
    const first = startHost(port, { ...faults('release'), nodeRank: 0 });
    const other = await startHost(port, { ...faults('catch'), nodeRank: 1 });
    expect(other.error?.text).toContain(
      "runs 'mpi-faults.js catch', and this world 'mpi-faults.js release'",
    );
    const named = await startHost(port, { ...faults('release'), nodeRank: 1, jobName: 'mine' });
    expect(named.error?.text).toContain('another job meets here: ');
    const second = await startHost(port, { ...faults('release'), nodeRank: 1 });
    expect(second.error).toBeNull();
    expect((await first).error).toBeNull();
  });

  test('a job’s name stands for script and arguments', async () => {
    const port = await freePort();
    const ends = await Promise.all([
      startHost(port, { ...faults('release'), nodeRank: 0, jobName: 'run 7' }),
      startHost(port, {
        script: rankProgram('mpi-faults'),
        args: ['release', 'b'],
        nodeRank: 1,
        jobName: 'run 7',
      }),
    ]);
    expect(ends.map(({ error }) => error)).toEqual([null, null]);
  });

  test.each([
    [
      { type: 'world', formation: { nodeRank: 1, nodes: [2, 3] } },
      'names a world that this host was not asked for',
    ],
    [
      { type: 'world', formation: { nodeRank: 1, nodes: [2, 200] } },
      'names a world that this host was not asked for',
    ],
    [
      { type: 'world', formation: { nodeRank: 7, nodes: [2, 2] } },
      'names a world that this host was not asked for',
    ],
    [{ type: 'done' }, 'says that all is done, while ranks here run'],
    [{ type: 'barrier', keys: [] }, 'ends a barrier that not all ranks here have entered'],
  ])('and plays the hub cannot have %j done', async (message, text) => {
    const port = await freePort();
    const started: number[] = [];
    const onStart = (rank: number) => void started.push(rank);
    const host = startHost(port, { ...faults('release'), nodeRank: 1, onStart });
    const hub = await Insider.lure(port);
    hub.send(message);
    const { error } = await host;
    expect(error?.text).toContain(text);
    expect(error?.exitCode).toBe(1);
    expect(started).toEqual([]);
  });

  test('cannot command another host’s terminal', async () => {
    const port = await freePort();
    const host = startHost(port, { ...faults('release'), nodeRank: 1 });
    const hub = await Insider.lure(port);
    const text = 'rank 0 failed\u001b[2J\nsyncrun: all is well\u202e';
    hub.send({
      type: 'fail',
      failure: { text, exitCode: 3, rank: 0, output: '\u001b]0;hacked\u0007\nok' },
    });
    const { error } = await host;
    expect(error?.text).toBe('rank 0 failed\\x1b[2J\\nsyncrun: all is well\\u{202e}');
    expect(error?.output).toBe('\\x1b]0;hacked\\x07\nok');
    expect(error?.exitCode).toBe(3);
  });
});

test('foreign text keeps its letters, and loses what a terminal would obey', () => {
  expect(escapeControls('é日本🎉\n\tok')).toBe('é日本🎉\n\tok');
  expect(escapeLine('a\nb\r\u001b\u009b')).toBe('a\\nb\\x0d\\x1b\\x9b');
});
