import { setFlagsFromString } from 'node:v8';
import { init, release } from 'syncbn';
import { expect, test } from 'vitest';
import { plainKernels } from '../../src/kernels/plain.js';
import { createEngine } from '../../src/kernels/wasm/engine.js';
import { WasmKernels } from '../../src/kernels/wasm/kernels.js';
import { describeAccuracy } from './accuracy.js';
import { foreign, misaligned, own } from './cases.js';
import { describeContract } from './contract.js';
import { describeMasks } from './masks.js';
import { describeTails } from './tails.js';

// Node 20 has relaxed SIMD behind a flag, later ones without it: both builds are always tested.
setFlagsFromString('--experimental-wasm-relaxed-simd');

// Loads what masks and tails need.
await init();
await release();
const baseline = new WasmKernels(createEngine({ relaxed: false }));
const relaxed = new WasmKernels(createEngine({ relaxed: true }));

test('both builds are here', () => {
  expect([baseline.name, relaxed.name]).toEqual(['wasm', 'wasm-relaxed']);
});

for (const describeKernels of [describeContract, describeAccuracy, describeMasks]) {
  for (const kernels of [baseline, relaxed]) {
    describeKernels(`${kernels.name}, own arrays`, () => kernels, own);
    describeKernels(`${kernels.name}, misaligned arrays`, () => kernels, misaligned);
    describeKernels(`${kernels.name}, foreign arrays`, () => kernels, foreign);
  }
  describeKernels('plain', () => plainKernels, foreign);
}

// The kernels of tails have one build, whatever the others have.
describeTails('wasm, own arrays', () => baseline, own);
describeTails('wasm, misaligned arrays', () => baseline, misaligned);
describeTails('wasm, foreign arrays', () => baseline, foreign);
describeTails('wasm-relaxed, own arrays', () => relaxed, own);
describeTails('plain', () => plainKernels, foreign);
