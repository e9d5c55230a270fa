/** The packed package through the bundlers that its users have, and what they build in a browser. */

import { cpSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackedProject } from '../harness/packed.js';
import { startBrowser } from './harness/browsers.js';
import { BUNDLERS } from './harness/bundle.js';
import { serveFolder } from './harness/serve.js';

const CONSUMER = fileURLToPath(new URL('./consumer', import.meta.url));
/**
 * Bytes, gzipped, of all files of a worker that trains with the layers: kernels 9.5 KB, worlds of
 * threads and their collectives 15 KB, layers, tensors and averaging the rest. features.test.ts has
 * what a program must ask for. Vite has 48.1 KB, esbuild 49.4, webpack 52.4.
 */
const LIMIT = 53 * 1024;

let project: PackedProject;
let browser: Browser;

beforeAll(async () => {
  project = new PackedProject();
  cpSync(CONSUMER, project.folder, { recursive: true });
  browser = await startBrowser('chromium');
}, 120_000);

afterAll(async () => {
  await browser.close();
  project.remove();
});

/** What the built page's ranks return. */
async function trained(folder: string): Promise<unknown> {
  if (!existsSync(`${folder}/index.html`)) cpSync(`${CONSUMER}/index.html`, `${folder}/index.html`);
  const site = await serveFolder(folder);
  try {
    const page = await browser.newPage();
    await page.goto(`${site.url}/index.html`);
    await page.waitForFunction(() => 'trained' in globalThis);
    return await page.evaluate(() => (globalThis as unknown as { trained: unknown }).trained);
  } finally {
    site.close();
  }
}

describe.each(Object.entries(BUNDLERS))('%s', (name, bundle) => {
  it.each([false, true])(
    'bundles a small, working page without a warning, koffi installed: %s',
    async (withKoffi) => {
      const koffi = project.path('node_modules/koffi');
      if (withKoffi && !existsSync(koffi)) project.lend('koffi');
      if (!withKoffi) rmSync(koffi, { force: true });
      const folder = project.path(`${name}-${withKoffi}`);
      const { complaints, worker } = await bundle(project.folder, folder);
      expect(complaints).toEqual([]);
      expect(worker.length).toBeGreaterThan(0);
      const bytes = worker.reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
      console.log(`${name}: a worker is ${(bytes / 1024).toFixed(1)} KB gzipped`);
      expect(bytes).toBeLessThanOrEqual(LIMIT);
      const mean = [expect.closeTo(0.813, 3), expect.closeTo(1.129, 3)];
      expect(await trained(folder)).toEqual([0, 1].map((rank) => ({ rank, result: mean })));
    },
    60_000,
  );
});
