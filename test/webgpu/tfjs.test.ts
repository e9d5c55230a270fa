/** `syncbn/tfjs` on TensorFlow.js' webgpu backend: Dawn over SwiftShader. */

import { test, vi } from 'vitest';
import { openWebgpu } from './open.js';
import { useSoftwareVulkan } from './software.js';

vi.setConfig({ testTimeout: 60_000 });

const RANK = new URL('../../build/test/webgpu/tfjs-rank.js', import.meta.url);

// TensorFlow.js registers the backend when it is loaded, if there is WebGPU.
useSoftwareVulkan();
await openWebgpu();
const { tfjsChecks } = await import('./tfjs-checks.js');

for (const { title, run } of tfjsChecks(RANK)) test(title, run);
