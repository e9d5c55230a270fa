/** `syncbn/jax` on jax-js' webgpu device: Dawn over SwiftShader. */

import { beforeAll, test, vi } from 'vitest';
import { jaxChecks } from './jax-checks.js';
import { useSoftwareVulkan } from './software.js';

// The first check of each number of ranks trains all its networks.
vi.setConfig({ testTimeout: 120_000 });
beforeAll(useSoftwareVulkan);

const RANK = new URL('../../build/test/webgpu/jax-rank.js', import.meta.url);

for (const { title, run } of jaxChecks(RANK)) test(title, run);
