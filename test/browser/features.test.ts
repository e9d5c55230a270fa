/** Features: bundles for browsers have them if a program asks for them, bundles for Node always. */

import { spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackedProject } from '../harness/packed.js';
import { startBrowser } from './harness/browsers.js';
import { serveFolder } from './harness/serve.js';

const SCRIPTS = fileURLToPath(new URL('./features', import.meta.url));
/** The samples of both ranks of trials.js. */
const BATCH = [1, 2.5, -3, 4, 5, 0.25, 7, 8, 2, -1, 3, 6.5];
const FEATURES = [
  ...['float64', 'float16', 'bfloat16', 'masks', 'tail', 'reproducible', 'averages'],
] as const;

/** Results of the trials by name, or their errors. */
type Outcome = Record<string, number[] | string>;
interface Page {
  without: Outcome[];
  with: Outcome[];
  checked: string;
}

let project: PackedProject;
let page: Page;

beforeAll(async () => {
  await init();
  project = new PackedProject();
  cpSync(SCRIPTS, project.folder, { recursive: true });
  await build({
    absWorkingDir: project.folder,
    entryPoints: ['page.js', 'with.js', 'without.js'],
    outdir: project.path('browser'),
    ...{ platform: 'browser', bundle: true, format: 'esm' },
  });
  page = await shown(project.path('browser'));
}, 120_000);

afterAll(() => {
  release();
  project.remove();
});

/** Results of the bundled page's ranks. */
async function shown(folder: string): Promise<Page> {
  cpSync(`${SCRIPTS}/../consumer/index.html`, `${folder}/index.html`);
  const site = await serveFolder(folder);
  const browser = await startBrowser('chromium');
  try {
    const tab = await browser.newPage();
    await tab.goto(`${site.url}/index.html`);
    await tab.waitForFunction(() => 'trained' in globalThis);
    const given = (await tab.evaluate(
      () => (globalThis as unknown as { trained: unknown }).trained,
    )) as Record<'with' | 'without', { result: [string, number[] | string][] }[]> & Page;
    const byName = (ranks: { result: [string, number[] | string][] }[]) =>
      ranks.map(({ result }) => Object.fromEntries(result));
    return {
      without: byName(given.without),
      with: byName(given.with),
      checked: given.checked,
    };
  } finally {
    await browser.close();
    site.close();
  }
}

/** The normalised batch on one rank. */
function wholeBatch(options: { dtype?: 'float64' }, mask?: Uint8Array, hasTail = false) {
  const layer = new SyncBatchNorm(2, { ...options, name: 'norm' });
  const x = Tensor.from(BATCH, [6, 2], options.dtype ?? 'float32');
  const tail = hasTail ? ({ add: x, activation: 'relu' } as const) : {};
  return [...layer.forward(x, { ...tail, ...(mask && { mask }) }).data];
}

describe('a bundle for browsers', () => {
  it.each(FEATURES)('fails on every rank, and says what to import: %s', (name) => {
    const feature = name === 'averages' ? 'reproducible' : name;
    const said = page.without.map((rank) => rank[name]);
    expect(said).toEqual([said[0], said[0]]);
    expect(said[0]).toMatch(
      new RegExp(`^(SyncBatchNorm 'norm'|averageGradients): .*import 'syncbn/${feature}' in this`),
    );
  });

  it('fails on every rank where one alone needs what is not there', () => {
    const [asked, other] = page.without.map((rank) => rank['masks on rank 0 alone']);
    expect(asked).toContain("import 'syncbn/masks' in this script");
    expect(other).toContain("import 'syncbn/masks' in this script");
    expect(other).toContain('rank 0');
  });

  it('says what to import for the checked mode', () => {
    expect(page.checked).toBe(
      "init: the checked mode must be asked for in bundles for browsers: import 'syncbn/checked' " +
        'in this script',
    );
  });

  it.each([
    ['float64', wholeBatch, { dtype: 'float64' }, 12],
    ['float16', wholeBatch, {}, 2],
    ['bfloat16', wholeBatch, {}, 1],
  ] as const)(
    'normalises %s as one rank does once it is imported',
    (name, whole, options, digits) => {
      const both = page.with.flatMap((rank) => rank[name] as number[]);
      const expected = whole(options);
      expect(both).toHaveLength(expected.length);
      for (const [i, value] of both.entries()) expect(value).toBeCloseTo(expected[i], digits);
    },
  );

  it('takes masks as one rank does once they are imported', () => {
    const both = page.with.flatMap((rank) => rank.masks as number[]);
    const expected = wholeBatch({}, Uint8Array.of(1, 0, 1, 1, 0, 1));
    for (const [i, value] of both.entries()) expect(value).toBeCloseTo(expected[i], 6);
  });

  it('adds and rectifies as one rank does once a tail is imported', () => {
    const both = page.with.flatMap((rank) => rank.tail as number[]);
    const expected = wholeBatch({}, undefined, true);
    for (const [i, value] of both.entries()) expect(value).toBeCloseTo(expected[i], 6);
  });

  it('takes a second memory for foreign arrays once it is imported, to the same bits', () => {
    for (const [rank, { foreign }] of page.with.entries()) {
      expect(foreign).toEqual([1, ...page.without[rank].foreign.slice(1)]);
      expect(page.without[rank].foreign[0]).toBe(0);
      expect(new Set(foreign as number[]).size).toBeGreaterThan(90);
    }
  });

  it('gives the bits of one rank once reproducible sums are imported', () => {
    const layer = new SyncBatchNorm(2, { reproducible: true });
    layer.forward(Tensor.from(BATCH, [6, 2]));
    const whole = [...layer.runningMean.data, ...layer.runningVar.data];
    expect(page.with.map((rank) => rank.reproducible)).toEqual([whole, whole]);
    const gradients = [Math.fround(0.1), Math.fround(0.2)];
    expect(page.with.map((rank) => rank.averages)).toEqual([gradients, gradients]);
  });
});

it('a bundle for Node has all of it without being asked', async () => {
  const script = `
    import { TRIALS } from './node/trials.js';
    for (const [name, run] of Object.entries(TRIALS)) console.log(name, run().length);`;
  const ready = "import { init } from 'syncbn'; export * from './trials.js'; await init();";
  await build({
    stdin: { contents: ready, resolveDir: project.folder },
    absWorkingDir: project.folder,
    outfile: project.path('node/trials.js'),
    ...{ platform: 'node', bundle: true, format: 'esm' },
  });
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: project.folder,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  expect(stdout.trim().split('\n')).toEqual([
    ...[
      'foreign 101',
      'float64 6',
      'float16 6',
      'bfloat16 6',
      'masks 6',
      'tail 6',
      'reproducible 4',
      'averages 2',
    ],
    'masks on rank 0 alone 6',
  ]);
});
