/** The port where hosts meet, and the ranks' own channels, under attack. */

import { createHmac, randomBytes } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { escapeControls, escapeLine } from '../../src/launch/common/foreign-text.js';
import { stretch } from '../../src/launch/processes/handshake.js';
import { Run, SYNCRUN, until, workspace } from '../launch/support.js';
import { freePort, SECRET, startHost } from './hosts.js';
import { rankProgram } from './run.js';

const PROTOCOL = 'syncbn-launch-2';
const faults = (mode: string) => ({ script: rankProgram('mpi-faults'), args: [mode] });
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A connection that speaks raw lines. */
class Stranger {
  readonly socket: Socket;
  readonly lines: string[] = [];
  closed = false;
  #rest = '';

  constructor(socket: Socket) {
    this.socket = socket;
    onTestFinished(() => void socket.destroy());
    socket.setEncoding('utf8');
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (text) => {
      const parts = (this.#rest + text).split('\n');
      this.#rest = parts.pop() ?? '';
      this.lines.push(...parts);
    });
  }

  static async dial(port: number): Promise<Stranger> {
    for (;;) {
      const socket = connect(port, '127.0.0.1');
      const reached = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (reached) return new Stranger(socket);
      await pause(30);
    }
  }

  say(line: string): void {
    this.socket.write(`${line}\n`);
  }

  async line(): Promise<string> {
    await until(() => this.lines.length > 0 || this.closed);
    return this.lines.shift() ?? '';
  }
}

const sign = (key: Buffer, ...parts: string[]) =>
  createHmac('sha256', key).update(parts.join('\n')).digest();

/** Somebody who knows the secret. */
class Insider {
  readonly stranger: Stranger;
  readonly #key: Buffer;
  readonly #side: string;
  #sent = 0;

  constructor(stranger: Stranger, side: string, key: Buffer) {
    this.stranger = stranger;
    this.#side = side;
    this.#key = key;
  }

  /** Proves to the hub at `port` that it knows the secret. */
  static async join(port: number): Promise<Insider> {
    const stranger = await Stranger.dial(port);
    const key = await stretch(SECRET);
    const mine = randomBytes(32).toString('hex');
    stranger.say(`${PROTOCOL} ${mine}`);
    const theirs = (await stranger.line()).split(' ')[1];
    stranger.say(sign(key, 'host', theirs, mine).toString('hex'));
    expect(await stranger.line()).toBe(sign(key, 'hub', theirs, mine).toString('hex'));
    return new Insider(stranger, 'host', sign(key, 'session', theirs, mine));
  }

  /** A hub that knows the secret and does as it likes. */
  static async lure(port: number): Promise<Insider> {
    const key = await stretch(SECRET);
    const socket = await new Promise<Socket>((resolve) => {
      const server = createServer(resolve).listen(port, '127.0.0.1');
      onTestFinished(() => void server.close());
    });
    const stranger = new Stranger(socket);
    const mine = randomBytes(32).toString('hex');
    stranger.say(`${PROTOCOL} ${mine}`);
    const theirs = (await stranger.line()).split(' ')[1];
    expect(await stranger.line()).toBe(sign(key, 'host', mine, theirs).toString('hex'));
    stranger.say(sign(key, 'hub', mine, theirs).toString('hex'));
    return new Insider(stranger, 'hub', sign(key, 'session', mine, theirs));
  }

  send(message: unknown): void {
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    this.sendLine(this.#sent++, text);
  }

  sendLine(number: number, text: string, side = this.#side): void {
    const signature = sign(this.#key, side, String(number), text).toString('hex');
    this.stranger.say(`${signature} ${text}`);
  }
}

/** The world of two real hosts, in which `attack` happens before the second one comes. */
async function worldDuring(attack: (port: number) => Promise<void>) {
  const port = await freePort();
  const first = startHost(port, { ...faults('release'), nodeRank: 0 });
  await attack(port);
  const second = await startHost(port, { ...faults('release'), nodeRank: 1 });
  return [await first, second];
}

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

describe('a rank that abuses its channel', () => {
  const run = (text: string) => {
    const cwd = workspace({
      'a.mjs': `import { writeSync } from 'node:fs';
        const say = (text) => writeSync(3, text);
        const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
        if (process.env.RANK === '0') { ${text} }
        wait(3000);`,
    });
    const args = ['--launcher=processes', '--worker_num=2', '--join', '--cluster_time_out=5'];
    return new Run(cwd, [...args, 'a.mjs']).ended;
  };

  test.each([
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '__defineGetter__',
    'reboot',
    '\\x1b[2J',
  ])('by the command %s is named', async (command) => {
    const { code, stderr } = await run(`say('cmd=${command}\\n');`);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^syncrun: rank 0 on host .* sent its launcher a garbled line: "cmd=/);
    expect(stderr).not.toContain('\u001b');
  });

  test.each([
    ["put key=a value=' + 'x'.repeat(2000) + '", 'a value that is too long'],
    ["put key=' + 'k'.repeat(70) + ' value=x", 'a key that is too long'],
    ['put value=x', 'no key'],
  ])('by putting %s is named', async (command) => {
    const { code, stderr } = await run(`say('cmd=${command}\\n');`);
    expect(code).toBe(1);
    expect(stderr).toContain('sent its launcher a garbled line: "cmd=put');
  });

  test('by a flood of keys, or a line without end, is ended', async () => {
    const flood = `for (let i = 0; ; i++) {
      try { say('cmd=put kvsname=syncbn key=k' + i + ' value=v\\n'); } catch (e) { if (e.code !== 'EAGAIN') throw e; wait(1); }
    }`;
    const endless = `for (;;) { try { say('x'.repeat(1000)); } catch (e) { if (e.code !== 'EAGAIN') throw e; wait(1); } }`;
    for (const text of [flood, endless]) {
      const { code, stderr } = await run(text);
      expect(code).toBe(1);
      expect(stderr).toContain('sent its launcher a garbled line');
    }
  });

  test.each([
    ['256', 1],
    ['-1', 255],
    ['1e999', 1],
    ['1.5', 1],
    ['0', 1],
    ['4294967296', 1],
    ['7', 7],
  ])('by MPI_Abort(%s) ends the launch with status %i', async (exitCode, status) => {
    const { code } = await run(`say('cmd=abort exitcode=${exitCode}\\n');`);
    expect(code).toBe(status);
  });

  test('by keys with the names of an object’s own harms nobody', async () => {
    const { code } = await run(`say('cmd=put key=__proto__ value=x\\n'); process.exit(0);`);
    expect(code).toBe(0);
  });
});

describe('secrets', () => {
  const several = [
    '--worker_num=2',
    '--local_worker_num=1',
    '--node_rank=0',
    '--cluster_time_out=1',
  ];

  test.each([
    [0o666, true],
    [0o640, true],
    [0o600, false],
  ])('in a file of mode %o', async (mode, warned) => {
    const cwd = workspace({ 'a.mjs': '', secret: SECRET });
    chmodSync(`${cwd}/secret`, mode);
    const port = await freePort();
    const options = [
      ...several,
      `--master_port=${port}`,
      '--secret_file=secret',
      '--join',
      'a.mjs',
    ];
    const { stderr } = await new Run(cwd, options, SYNCRUN).ended;
    const warning = `syncrun: others may read the secret in ${cwd}/secret; chmod 600 it\n`;
    expect(stderr.includes(warning)).toBe(warned);
  });
});
