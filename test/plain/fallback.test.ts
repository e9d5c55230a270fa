/** That the tests of this project run on the plain kernels, and that each thread says so once. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { allocateTensor, init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, expect, it } from 'vitest';
import { defaultKernels } from '../../src/kernels/select.js';
import { noise } from '../harness/layers.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import { warnings } from '../ranks/engine.js';
import type { LayerScript, PassResult } from '../ranks/run-layer.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

afterAll(closeSharedWorlds);
afterAll(release);

/** What is printed, without the reason that the engine gives. */
const FALLBACK =
  'syncbn: no WebAssembly SIMD with shared memory here, so slow plain kernels serve: ';
const WARNING = `${FALLBACK}no shared memory of 1 pages`;

it('the plain kernels serve this thread, which is told once', async () => {
  expect(warnings).toEqual([]);
  await init();
  const layers = [1, 2, 3].map((channels) => new SyncBatchNorm(channels));
  for (const layer of [...layers, ...layers]) {
    const x = Tensor.from(noise([4, layer.numFeatures], 1).values, [4, layer.numFeatures]);
    layer.forward(x);
    layer.backward(x);
  }
  allocateTensor([3]).dispose();
  expect(defaultKernels().name).toBe('plain');
  expect(warnings).toEqual([WARNING]);
});

it('the plain kernels serve every rank, which is told once', async () => {
  const script: LayerScript = {
    kind: 'SyncBatchNorm',
    numFeatures: 2,
    options: {},
    passes: [0, 1, 2].map((seed) => ({ x: noise([4, 2], seed), dy: noise([4, 2], seed) })),
  };
  for (let layer = 0; layer < 3; layer++) {
    const results = await sharedWorld(2).results<PassResult[]>('layer', () => script);
    for (const { error } of results.flat()) expect(error).toBeUndefined();
  }
  expect(await sharedWorld(2).results('warnings', () => ({}))).toEqual([[WARNING], [WARNING]]);
});

it('the plain kernels serve where there is no WebAssembly at all, which is printed once', () => {
  const script = `
    import { createThreadWorld, init, SyncBatchNorm, Tensor } from 'syncbn';
    await init({ world: createThreadWorld(1)[0] });
    for (const values of [[1, 3], [2, 6]]) {
      const layer = new SyncBatchNorm(1, { eps: 0 });
      const y = layer.forward(Tensor.from(values, [2, 1]));
      console.log(...y.data, ...layer.backward(y).data);
    }`;
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--jitless', '--input-type=module', '-e', script],
    { cwd: root, encoding: 'utf8' },
  );
  // dx is 0: y is xhat, and what goes along xhat does not reach x.
  expect(stdout.replaceAll('-0', '0')).toBe('-1 1 0 0\n-1 1 0 0\n');
  const lines = stderr.split('\n').filter((line) => line.startsWith('syncbn'));
  expect(lines).toEqual([`${FALLBACK}WebAssembly is not defined`]);
  expect(status).toBe(0);
});
