import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

const source = (path: string) => fileURLToPath(new URL(`./src/${path}`, import.meta.url));

/** Tests of layers for which it matters which kernels serve. */
const ON_ALL_KERNELS = [
  'bitwise',
  'corners',
  'errors',
  'extremes',
  'modes',
  'oracle',
  'passes',
  'running',
];

/** Tests whose ranks agree; where they do not, the checked mode says so in other words. */
const IN_CHECKED_MODE = [
  ...['awaited', 'corners', 'running'].map((name) => `layers/${name}`),
  ...['model', 'skip-together'].map((name) => `parallel/${name}`),
];

/** Files that take longest, the longest first: one that began late would end alone. */
const LONGEST = [
  ...['mpi/contract', 'kernels/contract', 'browser/page', 'mpi/demo', 'mpi/faults'],
  ...['group/thread-contract', 'launch/scripts', 'faults/faults', 'package/tarball'],
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const placeOf = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((name) => moduleId.endsWith(`/${name}.test.ts`));
      return at < 0 ? LONGEST.length : at;
    };
    return (await super.sort(files)).sort((a, b) => placeOf(a) - placeOf(b));
  }
}

export default defineConfig({
  resolve: {
    alias: [
      { find: /^syncbn$/, replacement: source('index.ts') },
      { find: /^syncbn\/jax$/, replacement: source('adapters/jax/index.ts') },
      { find: /^syncbn\/tfjs$/, replacement: source('adapters/tfjs/index.ts') },
      {
        find: /^syncbn\/tfjs\/wasm-gradients$/,
        replacement: source('adapters/tfjs/wasm-gradients/index.ts'),
      },
      { find: /^syncbn\/launch$/, replacement: source('launch/index.ts') },
      { find: /^syncbn\/browser$/, replacement: source('browser/index.ts') },
      { find: /^syncbn\/models$/, replacement: source('models/index.ts') },
      { find: /^syncbn\/relay$/, replacement: source('group/relay/index.ts') },
    ],
  },
  test: {
    testTimeout: 30_000,
    // Rank tests start worlds of their own; more than two at once only fight over the cores.
    maxWorkers: 2,
    // Of tests that mostly wait, two at once.
    maxConcurrency: 2,
    sequence: { sequencer: LongestFirst },
    // What ranks print is compared, wherever the tests are started from.
    env: { FORCE_COLOR: '0' },
    projects: [
      {
        extends: true,
        test: { name: 'all', include: ['test/**/*.test.ts'], exclude: ['test/plain/**'] },
      },
      {
        // In the checked mode: it must find nothing where nothing is wrong.
        extends: true,
        test: {
          name: 'checked',
          include: IN_CHECKED_MODE.map((name) => `test/${name}.test.ts`),
          env: { SYNCBN_CHECK: '1' },
        },
      },
      {
        // As in an engine without shared memory, on the test's thread and on all ranks.
        extends: true,
        test: {
          name: 'plain',
          include: [
            'test/plain/*.test.ts',
            ...ON_ALL_KERNELS.map((name) => `test/layers/${name}.test.ts`),
          ],
          env: { SYNCBN_TEST_MEMORY: 'none' },
          setupFiles: ['test/ranks/engine.ts'],
        },
      },
    ],
  },
});
