/** `syncrun --check`: what it says of worlds that are well, and of those that are not. */

import { describe, expect, test } from 'vitest';
import { differencesOf } from '../../src/check/facts.js';
import { slowRanks } from '../../src/check/measure.js';
import type { ProcessGroup } from '../../src/group/process-group.js';
import { syncrunOnHosts } from '../mpi/syncrun-hosts.js';
import { syncrun, workspace } from './support.js';

/** Length of array, microseconds, megabytes in a second. */
const ROW = /^ +(1|129|2049|100000) +\d+\.\d +\d+$/gm;

describe.each(['threads', 'processes'])('on %s', (launcher) => {
  test('a world that is well is measured, and nothing is wrong', async () => {
    const args = [`--launcher=${launcher}`, '--worker_num=2', '--check'];
    const { code, stdout, stderr } = await syncrun(workspace(), ...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^2 ranks on 1 host \(.+\)\nsyncbn \d+\.\d+\.\d+, runtime node \d/);
    expect(stdout.match(ROW)).toHaveLength(4);
    expect(stdout).toContain('all is well\n');
  });
});

test('two hosts with a network between them are named', async () => {
  const { stdout, stderr } = await syncrunOnHosts(2, 1, ['--check']);
  expect(stderr).toBe('');
  expect(stdout).toContain('2 ranks on 2 hosts (h1, h2)\n');
  expect(stdout.match(/^exit code 0$/gm)).toHaveLength(2);
}, 120_000);

test('ranks that run on something else are named with both', () => {
  const usual = { syncbn: '0.1.0', runtime: 'node 24.1.0', host: 'a' };
  const facts = [usual, { ...usual, host: 'b' }, { ...usual, runtime: 'node 20.19.6' }];
  expect(differencesOf(facts)).toEqual([
    "runtime differs: rank 2 'node 20.19.6', rank 0 'node 24.1.0'",
  ]);
});

test('a rank that is slow at the same work is named', () => {
  const over = <T>(result: T) => ({ wait: () => result });
  const world = {
    barrier: () => over(undefined),
    allGather: ([own]: Float64Array) => over(Float64Array.of(own, own, 4 * own)),
  };
  expect(slowRanks(world as unknown as ProcessGroup)).toEqual([
    'rank 2 is slow: its own work takes 4.0 times the median',
  ]);
});

test('--check takes no script', async () => {
  const { code, stderr } = await syncrun(workspace({ 'a.mjs': '' }), '--check', 'a.mjs');
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: "syncrun: --check runs no script, got 'a.mjs'\n",
  });
});
