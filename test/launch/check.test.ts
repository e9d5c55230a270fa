/** `syncrun --check`: what it says of worlds that are well, and of those that are not. */

import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { differencesOf } from '../../src/check/facts.js';
import { slowRanks } from '../../src/check/measure.js';
import type { ProcessGroup } from '../../src/group/process-group.js';
import { syncrunOnHosts } from '../mpi/syncrun-hosts.js';
import { Run, SYNCRUN, syncrun, workspace } from './support.js';

/** Length of array, microseconds, megabytes in a second. */
const ROW = /^ +(1|129|2049|100000) +\d+\.\d +\d+$/gm;

/** Makes rank 1 slow, and spoils it by `more`, before anything else runs in it. */
const spoiler = (more = '') => `if (process.env.RANK === '1') {
  const { sqrt } = Math;
  Math.sqrt = (x) => {
    let sum = 0;
    for (let i = 0; i < 8; i++) sum += sqrt(x + i);
    return sum < 0 ? sum : sqrt(x);
  };
  ${more}
}`;
const SLOW = /^SLOW: rank 1( on h2)? is slow: its own work takes \d+\.\d times the median$/m;

/** MPICH's library, and another of another version. */
const MPICH = '/usr/lib/x86_64-linux-gnu/libmpich.so.12';

function writeOtherMpich(path: string): void {
  const text = readFileSync(MPICH).toString('latin1');
  const [, version] = /\0(4\.\d+\.\d+)\0/.exec(text) ?? [];
  const other = text.replace(`\0${version}\0`, `\0${'9'.repeat(version.length)}\0`);
  writeFileSync(path, other, 'latin1');
}

/** No room for the kernels' memory, as in a thread that is too late. */
const NO_KERNELS = `const { Memory } = WebAssembly;
  WebAssembly.Memory = class extends Memory {
    constructor(limits) {
      if (limits.shared && limits.initial === 1) throw new RangeError('there is no room');
      super(limits);
    }
  };`;

const REPLACED = {
  threads: { spoilt: NO_KERNELS, line: /^WRONG: kernels differs: rank 1 'plain', rank 0 'wasm/m },
  processes: {
    spoilt: "process.env.SYNCBN_MPI_LIBRARY = './other.so';",
    line: /^WRONG: MPI library differs: rank 1 'MPICH Version: 9+', rank 0 'MPICH Version: 4\./m,
  },
};

describe.each(['threads', 'processes'] as const)('on %s', (launcher) => {
  test('a world that is well is measured, and nothing is wrong', async () => {
    const args = [`--launcher=${launcher}`, '--worker_num=2', '--check'];
    const { code, stdout, stderr } = await syncrun(workspace(), ...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^2 ranks on 1 host \(.+\)\nsyncbn \d+\.\d+\.\d+, runtime node \d/);
    expect(stdout.match(ROW)).toHaveLength(4);
    expect(stdout).toContain('all is well\n');
    expect(stdout).toMatch(/^syncbn .*, kernels wasm(-relaxed)?\b/m);
    if (launcher === 'processes') expect(stdout).toMatch(/, MPI library MPICH Version: 4\.\S+\n/);
  });

  test('a slow rank, and one that runs on something else, are found and named', async () => {
    const { spoilt, line } = REPLACED[launcher];
    const cwd = workspace({ 'spoil.mjs': spoiler(spoilt) });
    if (launcher === 'processes') writeOtherMpich(join(cwd, 'other.so'));
    const NODE_OPTIONS = `--import=${pathToFileURL(join(cwd, 'spoil.mjs'))}`;
    const args = [`--launcher=${launcher}`, '--worker_num=3', '--check'];
    const run = new Run(cwd, args, SYNCRUN, { ...process.env, NODE_OPTIONS });
    const { code, stdout } = await run.ended;
    expect(stdout).toMatch(line);
    expect(stdout).toMatch(SLOW);
    expect(stdout).not.toContain('all is well');
    expect(code).toBe(1);
  });
});

describe('two hosts with a network between them', () => {
  test('are named', async () => {
    const { stdout, stderr } = await syncrunOnHosts(2, 1, ['--check']);
    expect(stderr).toBe('');
    expect(stdout).toContain('2 ranks on 2 hosts (h1, h2)\n');
    expect(stdout).toContain('all is well\n');
    expect(stdout.match(/^exit code 0$/gm)).toHaveLength(2);
  }, 120_000);

  test('are told which of them is slow, and which has another MPI library', async () => {
    const cwd = workspace({ 'spoil.mjs': spoiler() });
    symlinkSync(MPICH, join(cwd, 'mpich0.so'));
    writeOtherMpich(join(cwd, 'mpich1.so'));
    const { stdout } = await syncrunOnHosts(2, 1, ['--check'], cwd, {
      NODE_OPTIONS: `--import=${pathToFileURL(join(cwd, 'spoil.mjs'))}`,
      SYNCBN_MPI_LIBRARY: join(cwd, 'mpichNODE_RANK.so'),
    });
    expect(stdout).toMatch(
      /^WRONG: MPI library differs: rank 1 on h2 'MPICH Version: 9+', rank 0 'MPICH Version: 4\./m,
    );
    expect(stdout).toMatch(SLOW);
    expect(stdout.match(/^exit code 1$/gm)).toHaveLength(2);
  }, 120_000);
});

test('ranks that run on something else are named with both', () => {
  const usual = { syncbn: '0.1.0', runtime: 'node 24.1.0', host: 'a' };
  const facts = [usual, { ...usual, host: 'b' }, { ...usual, runtime: 'node 20.19.6' }];
  expect(differencesOf(facts)).toEqual([
    "runtime differs: rank 2 on a 'node 20.19.6', rank 0 'node 24.1.0'",
  ]);
});

test('a rank that is slow at the same work is named', () => {
  const over = <T>(result: T) => ({ wait: () => result });
  const world = (...factors: number[]) =>
    ({
      barrier: () => over(undefined),
      allGather: ([own]: Float64Array) => over(Float64Array.from(factors, (each) => each * own)),
    }) as unknown as ProcessGroup;
  const facts = [{ host: 'a' }, { host: 'a' }, { host: 'a' }];
  const line = (rank: number) => `rank ${rank} is slow: its own work takes 4.0 times the median`;
  expect(slowRanks(world(1, 1, 4), facts)).toEqual([line(2)]);
  expect(slowRanks(world(4, 1), facts.slice(1))).toEqual([line(0)]);
});

test('--check takes no script', async () => {
  const { code, stderr } = await syncrun(workspace({ 'a.mjs': '' }), '--check', 'a.mjs');
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: "syncrun: --check runs no script, got 'a.mjs'\n",
  });
});
