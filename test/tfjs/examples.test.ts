/** The programs of examples/tfjs as users start them, on few digits. */

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = (name: string) => join(root, 'examples/tfjs', name);
const FEW = ['--digits=300', '--epochs=2'];

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'syncbn-examples-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Lines that a program prints. */
function linesOf(...args: string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: folder });
    let output = '';
    let errors = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    child.stderr.on('data', (text) => {
      errors += text;
    });
    child.on('close', (code) => {
      if (code === 0) resolve(output.split('\n').filter((line) => line !== ''));
      else reject(new Error(`${args.join(' ')} ended with ${code}:\n${output}${errors}`));
    });
  });
}

function onRanks(ranks: number, script: string, ...args: string[]): Promise<string[]> {
  const options = [`--worker_num=${ranks}`, '--join=True', '--tail_worker_log=0'];
  return linesOf(join(root, 'dist/launch/syncrun/main.js'), ...options, script, ...args);
}

const EPOCH = /Epoch (\d) \/ 2 loss=[\d.]+ acc=[\d.]+ val_acc=[\d.]+$/;
const epochsOf = (lines: string[]) =>
  lines.map((line) => EPOCH.exec(line)?.[1]).filter((epoch) => epoch !== undefined);

describe('the examples', () => {
  it('train digits on one rank as TensorFlow.js does', async () => {
    expect(epochsOf(await linesOf(example('mnist.mjs'), ...FEW))).toEqual(['1', '2']);
  }, 60_000);

  it('train them on two ranks, and tell the progress once', async () => {
    const lines = await onRanks(2, example('mnist-ranks.mjs'), ...FEW);
    expect(epochsOf(lines)).toEqual(['1', '2']);
    // Both ranks have seen the same.
    const logs = [0, 1].map((rank) => readFileSync(join(folder, `worker_${rank}.log`), 'utf8'));
    const [first, second] = logs.map((log) => log.split('\n').filter((line) => EPOCH.test(line)));
    expect(second).toEqual(first);
  }, 60_000);

  it('differ by the lines that say so alone', () => {
    const [one, many] = ['mnist.mjs', 'mnist-ranks.mjs'].map((name) =>
      readFileSync(example(name), 'utf8').split('\n'),
    );
    const added = many.filter((line) => line.includes('// added'));
    expect(added.length).toBeGreaterThan(2);
    const rest = many.filter((line) => !line.includes('// added'));
    // Below the comment at the top.
    const body = (lines: string[]) => lines.slice(lines.indexOf(''));
    expect(body(rest)).toEqual(body(one));
  });

  it('fine-tune a saved model on two ranks, and save it without traces', async () => {
    const args = [...FEW, `--folder=${folder}`];
    const lines = await onRanks(2, example('fine-tune.mjs'), ...args);
    const accuracies = lines.map((line) => /accuracy ([\d.]+)/.exec(line)?.[1]).filter(Boolean);
    expect(accuracies.length).toBe(2);
    expect(Number(accuracies[1])).toBeGreaterThan(Number(accuracies[0]));
    const saved = readFileSync(join(folder, 'fine-tuned.json'), 'utf8');
    expect(saved).toMatch(/"BatchNormalization"/);
    expect(saved).not.toMatch(/SyncBatch/);
  }, 60_000);
});
