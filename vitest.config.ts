import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

export default defineConfig({
  resolve: {
    alias: [
      { find: /^syncbn$/, replacement: source('index.ts') },
      { find: /^syncbn\/jax$/, replacement: source('adapters/jax/index.ts') },
      { find: /^syncbn\/launch$/, replacement: source('launch/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 30_000,
    // Rank tests start worlds of their own; more than two at once only fight over the cores.
    maxWorkers: 2,
  },
});
