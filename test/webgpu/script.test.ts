/** `scripts/gpu.mjs` itself: the adapter that it names, and what it refuses. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../scripts/gpu.mjs', import.meta.url));
const CHROMIUM = '/usr/lib/chromium';
const folder = mkdtempSync(join(tmpdir(), 'syncbn-gpu-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs it where SwiftShader is the only driver. */
function run(...words: string[]) {
  const out = join(folder, 'result.json');
  const driver = `${CHROMIUM}/vk_swiftshader_icd.json`;
  const env = {
    ...process.env,
    ...{ VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver, LD_LIBRARY_PATH: CHROMIUM },
  };
  const given = [SCRIPT, '--out', out, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, given, { encoding: 'utf8', env });
  return { status, text: stdout + stderr, read: () => JSON.parse(readFileSync(out, 'utf8')) };
}

test('names the adapter and its limits, in words and in JSON', () => {
  const { status, text, read } = run('--software', '--parts', 'adapter');
  expect(text).toMatch(/SOFTWARE: SwiftShader/);
  expect(text).toMatch(/vendor +google/);
  expect(status).toBe(0);
  const [{ name, failure, records }] = read().results;
  expect({ name, failure }).toEqual({ name: 'adapter', failure: null });
  expect(records[0]).toMatchObject({ isSoftware: true, architecture: 'swiftshader' });
  expect(records[0].limits.maxStorageBufferBindingSize).toBeGreaterThan(2 ** 26);
});

test('fails on a driver that computes on the processor, unless told', () => {
  const { status, text } = run('--parts', 'adapter');
  expect(text).toMatch(/FAILED: the adapter is a GPU\n +SwiftShader.*--software allows it/);
  expect(status).toBe(1);
});

test.each([
  [
    'a part that there is not',
    ['--parts', 'adapter,jaxs'],
    /unknown part jaxs; there are adapter,/,
  ],
  ['no steps', ['--steps', '0'], /--steps takes whole numbers of 1 or more, got 0/],
  ['what is no number', ['--batches', '8,x'], /--batches takes whole numbers.*got 8,x/],
])('refuses %s', (_, words, message) => {
  const { status, text } = run(...words);
  expect(text).toMatch(message);
  expect(status).toBe(2);
});

test('measures training steps and predictions, and gives their medians', () => {
  const few = ['--software', '--steps', '2', '--batches', '4', '--ranks', '2'];
  const { status, text, read } = run(...few, '--parts', 'jax-wasm,tfjs-wasm');
  expect(text).toMatch(/training step +wasm +2 +4 /);
  expect(status).toBe(0);
  const times = read().results.flatMap(({ records }: { records: object[] }) => records);
  expect(times.length).toBe(4);
  for (const { kind, median, low, high, runs } of times) {
    expect({ kind, runs }).toEqual({ kind: 'time', runs: 2 });
    expect(low).toBeLessThanOrEqual(median);
    expect(median).toBeLessThanOrEqual(high);
  }
});
