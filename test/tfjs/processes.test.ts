/** Ranks as processes: the same training, started by syncrun. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { FitScript, TrainingReport } from '../ranks/run-tfjs.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'syncbn-tfjs-'));

afterAll(async () => {
  rmSync(folder, { recursive: true });
  await closeSharedWorlds();
});

it('processes train to the bits of threads', async () => {
  const split = [
    [7, 3],
    [5, 0],
  ];
  const script: FitScript = { split, mode: 'fit', epochs: 2, validation: 5 };
  const threads = await sharedWorld(2).results<TrainingReport>('tfjs-fit', () => script);
  const started = spawnSync(
    process.execPath,
    [
      join(root, 'dist/launch/syncrun/main.js'),
      ...['--launcher=processes', '--worker_num=2', '--join=True', '--tail_worker_log=0'],
      ...[`--log_dir=${folder}`, join(root, 'build/test/ranks/tfjs-process.js')],
      JSON.stringify(script),
    ],
    { encoding: 'utf8' },
  );
  expect(started.status, started.stdout + started.stderr).toBe(0);
  const line = started.stdout.split('\n').find((text) => text.includes('{"weights"')) as string;
  const report = JSON.parse(line.slice(line.indexOf('{'))) as TrainingReport;
  expect(report.weights).toEqual(threads[0].weights);
  expect(report.history).toEqual(threads[0].history);
}, 90_000);
