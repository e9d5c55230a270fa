/** The page of examples/browser, clicked through. Its pictures go to build/screenshots. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { build } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BROWSERS, type BrowserName, startBrowser } from './harness/browsers.js';
import { serveFolder } from './harness/serve.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const pictures = join(root, 'build/screenshots');
const outDir = mkdtempSync(join(tmpdir(), 'syncbn-page-'));
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let isolated: Awaited<ReturnType<typeof serveFolder>>;
let plain: typeof isolated;

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true });
  await build({
    configFile: join(root, 'examples/browser/vite.config.ts'),
    logLevel: 'error',
    build: { outDir },
  });
  isolated = await serveFolder(outDir);
  plain = await serveFolder(outDir, false);
}, 120_000);

afterAll(() => {
  isolated.close();
  plain.close();
  rmSync(outDir, { recursive: true });
});

const textOf = (page: Page, selector: string) =>
  page.$eval(selector, (element) => (element as HTMLElement).innerText);

/** Seconds that the page may say nothing new: beside other tests a training takes minutes. */
const SILENCE = 180;
/** Milliseconds that a test which trains may take: the page is held to words, not to an end. */
const TRAINING = 600_000;

/**
 * Waits until the status line says so.
 * @returns what it says
 * @throws Error with what was said last, when nothing new comes for a while
 */
async function statusOf(page: Page, pattern: RegExp): Promise<string> {
  let text = await textOf(page, '#status');
  let saidAt = Date.now();
  while (!pattern.test(text)) {
    if (Date.now() - saidAt > SILENCE * 1000) {
      throw new Error(`the page says '${text}' for ${SILENCE} s, and not ${pattern}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
    const next = await textOf(page, '#status');
    if (next !== text) [text, saidAt] = [next, Date.now()];
  }
  return text;
}

/** Waits until the chart is as wide as its place, however that has changed. */
async function expectFilled(page: Page, id: string): Promise<void> {
  await page.waitForFunction(
    (chart) => {
      const place = document.getElementById(chart)!;
      return place.querySelector('svg')?.getAttribute('width') === String(place.clientWidth);
    },
    { timeout: 5000 },
    id,
  );
}

/** Moves the mouse through places of the paper, in shares of its side. */
async function draw(page: Page, places: readonly (readonly [number, number])[]): Promise<void> {
  const paper = (await page.$('#paper'))!;
  await paper.evaluate((element) => element.scrollIntoView());
  const { x, y, width, height } = await paper.evaluate((element) => {
    const box = element.getBoundingClientRect();
    return { x: box.x, y: box.y, width: box.width, height: box.height };
  });
  const [first, ...rest] = places.map(([u, v]) => [x + u * width, y + v * height] as const);
  await page.mouse.move(...first);
  await page.mouse.down();
  for (const place of rest) await page.mouse.move(...place, { steps: 8 });
  await page.mouse.up();
}

/** What axe-core finds wrong for people with disabilities. */
async function barriers(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  });
}

/** The table, without its head and its last column: speed differs from run to run. */
async function resultsOf(page: Page): Promise<string[][]> {
  const rows = (await textOf(page, '#results')).split('\n');
  return rows.map((row) => row.split('\t').slice(0, -1));
}

function clickThrough(name: BrowserName): void {
  let browser: Browser;
  /** What jax-js came to where workers share memory. */
  let shared: string[][] = [];
  beforeAll(async () => {
    browser = await startBrowser(name);
  }, 60_000);
  afterAll(() => browser.close());

  /** Opens the page; `problems` collects what it logs, throws, and asks other servers for. */
  async function open(base: string, query: string, width: number) {
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('console', (message) => {
      if (!['error', 'warn'].includes(message.type())) return;
      // Chromium would have the paper elsewhere, since this test looks at it often.
      if (!/willReadFrequently/.test(message.text())) problems.push(message.text());
    });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('request', (request) => {
      if (!/^(data|blob):/.test(request.url()) && !request.url().startsWith(base)) {
        problems.push(`asks for ${request.url()}`);
      }
    });
    await page.setViewport({ width, height: 900 });
    await page.goto(`${base}/index.html${query}`);
    return { page, problems };
  }

  it.each(['jax', 'tfjs'])(
    'trains three times with %s, and two workers learn as one does',
    async (framework) => {
      const query = `?framework=${framework}&workers=2&steps=25`;
      const { page, problems } = await open(isolated.url, query, 1200);
      await page.click('#start');
      const status = await statusOf(page, /^(Done|Failed)/);
      expect(status).toMatch(/^Done\. Digits read right: one worker \d+ %; 2 workers, synchro/);
      const rows = await resultsOf(page);
      if (framework === 'jax') shared = rows;
      expect(rows.map(([run]) => run)).toEqual([
        'one worker',
        '2 workers, synchronized',
        '2 workers, each alone',
      ]);
      const [one, synchronized, alone] = rows.map(([, , loss]) => Number(loss));
      expect(Math.abs(synchronized - one)).toBeLessThan(1e-3 * one);
      expect(alone).toBeGreaterThan(1.02 * one);
      expect(await textOf(page, '#means-text')).toMatch(
        /2 workers, synchronized: the same, bit for bit. 2 workers, each alone: up to 0\.\d+ apart/,
      );
      expect(await page.$eval('#loss', (chart) => chart.getAttribute('aria-label'))).toMatch(
        /^Loss by step. one worker: \d\.\d+; 2 workers, synchronized: \d\.\d+; 2 workers, each/,
      );
      for (const id of ['loss', 'accuracy', 'means', 'speeds']) await expectFilled(page, id);
      await draw(page, [
        [0.5, 0.1],
        [0.5, 0.9],
      ]);
      expect(await textOf(page, '#verdict')).toMatch(/^This looks like a \d \(\d+ %\)\.$/);
      expect(await page.$$eval('#odds li', (bars) => bars.length)).toBe(10);
      await page.screenshot({ path: join(pictures, `${name}-${framework}.png`), fullPage: true });
      if (name === 'chromium') {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
        await page.screenshot({ path: join(pictures, `dark-${framework}.png`), fullPage: true });
      }
      expect(problems).toEqual([]);
      await page.close();
    },
    TRAINING,
  );

  it('is drawn upon by keyboard, shows examples, and is stopped', async () => {
    const { page, problems } = await open(isolated.url, '?workers=2&steps=5000', 390);
    await page.click('#start');
    await statusOf(page, /one worker: starting/);
    await page.click('#stop');
    expect(await statusOf(page, /^(Stopped|Failed|Done)/)).toBe('Stopped.');
    await page.focus('#paper');
    await page.keyboard.press(' ');
    expect(await textOf(page, '#verdict')).toBe('Pen down.');
    for (let step = 0; step < 5; step++) await page.keyboard.press('ArrowDown');
    await page.keyboard.press(' ');
    expect(await textOf(page, '#verdict')).toBe('Pen up.');
    const ink = () =>
      page.$eval('#paper', (paper) => {
        const { width, height } = paper as HTMLCanvasElement;
        const context = (paper as HTMLCanvasElement).getContext('2d')!;
        return context.getImageData(0, 0, width, height).data.filter((_, i) => i % 4 === 3 && _ > 0)
          .length;
      });
    const drawn = await ink();
    expect(drawn).toBeGreaterThan(500);
    await page.keyboard.press('Escape');
    expect(await textOf(page, '#verdict')).toBe('The paper is clear.');
    expect(await ink()).toBeLessThan(drawn / 2);
    await page.click('#example');
    expect(await ink()).toBeGreaterThan(500);
    // Nothing hangs over the edge of a phone.
    const [wide, shown] = await page.evaluate(() => [
      document.documentElement.scrollWidth,
      document.documentElement.clientWidth,
    ]);
    expect(wide).toBe(shown);
    await page.screenshot({ path: join(pictures, `${name}-phone.png`), fullPage: true });
    expect(problems).toEqual([]);
    await page.close();
  }, 60_000);

  it(
    'trains without isolation over messages, to the same numbers',
    async () => {
      const { page, problems } = await open(plain.url, '?workers=2&steps=25', 1200);
      await page.click('#start');
      expect(await statusOf(page, /^(Done|Failed)/)).toMatch(
        /^Done\. Digits read right: one worker/,
      );
      expect(shared).toHaveLength(3);
      expect(await resultsOf(page)).toEqual(shared);
      expect(await textOf(page, '#means-text')).toMatch(/synchronized: the same, bit for bit/);
      await page.screenshot({ path: join(pictures, `${name}-plain.png`), fullPage: true });
      expect(problems).toEqual([]);
      await page.close();
    },
    TRAINING,
  );

  it(
    'trains with TensorFlow.js without isolation, with one worker',
    async () => {
      const { page, problems } = await open(plain.url, '?framework=tfjs&workers=4&steps=10', 1200);
      expect(await textOf(page, '#workers-shown')).toBe('1');
      await page.click('#start');
      expect(await statusOf(page, /^(Done|Failed)/)).toMatch(/^Done\. .*: one worker \d+ %\.$/);
      expect(problems).toEqual([]);
      await page.close();
    },
    TRAINING,
  );

  it('is stopped without isolation, too', async () => {
    const { page } = await open(plain.url, '?workers=2&steps=5000', 390);
    await page.click('#speed');
    await statusOf(page, /^Speed of 2 workers/);
    await page.click('#stop');
    expect(await statusOf(page, /^(Stopped|Failed|Done)/)).toBe('Stopped.');
    await page.close();
  }, 60_000);

  it('has no barriers that axe finds, and says what is missing without isolation', async () => {
    const { page } = await open(plain.url, '', 1200);
    expect(await textOf(page, '#missing')).toMatch(
      /not cross-origin isolated.*Cross-Origin-Opener-Policy.*Cross-Origin-Embedder-Policy/s,
    );
    expect(await barriers(page)).toEqual([]);
    expect(await textOf(page, '#missing')).not.toContain('SIMD');
    await page.evaluateOnNewDocument(() => {
      WebAssembly.validate = () => false;
    });
    await page.reload();
    expect(await textOf(page, '#missing')).toContain('no WebAssembly SIMD');
    if (name === 'chromium') {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }]);
      expect(await barriers(page)).toEqual([]);
      await page.screenshot({ path: join(pictures, 'dark-plain.png'), fullPage: true });
    }
    await page.close();
  }, 60_000);
}

// Each browser takes its tests in their order, beside the other one: they wait a lot.
describe.concurrent.each(BROWSERS)('the page in %s', (name) => {
  describe('in turn', { concurrent: false }, () => clickThrough(name));
});
