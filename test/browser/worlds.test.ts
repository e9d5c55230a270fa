/** Worlds of Web Workers, in real browsers. */

import type { Browser, Page } from 'puppeteer-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BROWSERS, startBrowser } from './harness/browsers.js';
import { run } from './harness/scenarios.js';
import { type Site, serve } from './harness/serve.js';
import type { forward, Trained } from './pages/network.js';
import type { Task } from './pages/rank.js';
import type { FailureReport } from './pages/worlds.js';

let site: Site;
/** Hash of the trained weights by browser. */
const hashes = new Map<string, string>();

beforeAll(async () => {
  site = await serve(['worlds', 'rank', 'silent']);
}, 60_000);

afterAll(() => site.close());

describe.each(BROWSERS)('in %s a world of workers', (name) => {
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    browser = await startBrowser(name);
    page = await browser.newPage();
    await page.goto(site.pageOf('worlds'));
  }, 60_000);

  afterAll(() => browser.close());

  const train = (options: object) =>
    run<{ rank: number; result: Trained }[]>(page, 'results', {
      task: { what: 'train' },
      ...options,
    });

  it('trains the same weights on every rank', async () => {
    const ranks = await train({});
    expect(ranks.map(({ rank }) => rank)).toEqual([0, 1, 2]);
    expect(ranks.map(({ result }) => [result.rank, result.size])).toEqual([
      [0, 3],
      [1, 3],
      [2, 3],
    ]);
    const [{ hash, losses }] = ranks.map(({ result }) => result);
    expect(ranks.map(({ result }) => result.hash)).toEqual([hash, hash, hash]);
    expect(losses[1]).toBeLessThan(losses[0]);
    hashes.set(name, hash);
  });

  it('finds scripts that call runRank late', async () => {
    const ranks = await train({ query: '?late', workerNum: 2 });
    expect(ranks.map(({ result }) => result.size)).toEqual([2, 2]);
  });

  it('sums 128 float64 in less than 0.2 ms', async () => {
    const results = await run<{ result: number }[]>(page, 'results', {
      task: { what: 'latency' },
    });
    const microseconds = Math.max(...results.map(({ result }) => result));
    console.log(`${name}: all-reduce of 128 float64 on 3 workers ${microseconds.toFixed(0)} us`);
    expect(microseconds).toBeLessThan(200);
  });

  it('gives each rank its data, and carries messages both ways in order', async () => {
    const talk = await run<Record<string, unknown>>(page, 'talk');
    expect(talk).toEqual({
      results: [0, 1].map((rank) => ({
        rank,
        result: { data: { what: 'talk', own: rank * 11 }, answer: `hello ${rank}` },
      })),
      refused: 'RangeError: post: rank must be 0 to 1, got 2',
      messages: [
        [0, { first: 0 }],
        [0, { second: 2 }],
        [1, { first: 1 }],
        [1, { second: 2 }],
      ],
    });
  });

  it('may have the main thread as a rank, which awaits', async () => {
    expect(await run(page, 'here')).toEqual({
      results: [
        {
          rank: 0,
          result: { rank: 0, what: 'wait', refused: expect.stringMatching(/await done\(\)/) },
        },
        { rank: 1, result: 'met' },
        { rank: 2, result: 'met' },
        { rank: 3, result: 'met' },
      ],
      after: expect.stringMatching(/call init\(\) first/),
    });
  });

  it('trains the same with the main thread as its fourth rank', async () => {
    const inWorkers = await train({ workerNum: 4 });
    const withMain = await run<typeof inWorkers>(page, 'trainHere');
    expect(withMain).toEqual(inWorkers);
    expect(new Set(withMain.map(({ result }) => result.hash)).size).toBe(1);
  });

  it('fails a blocking forward on the main thread on every rank, and learns nothing', async () => {
    const ranks = await run<{ result: ReturnType<typeof forward> }[]>(page, 'forwardHere');
    const [main, ...others] = ranks.map(({ result }) => result);
    expect(main.error).toMatch(/^TypeError: .*startForward/);
    for (const { error } of others) {
      expect(error).toMatch(/^RankFailedError: rank 0 failed: TypeError: .*startForward/);
    }
    for (const { mean, tracked } of [main, ...others]) expect([mean, tracked]).toEqual([0, 0]);
  });

  it('is stopped, whatever its ranks wait for', async () => {
    const { done, milliseconds } = await run<{ done: string; milliseconds: number }>(page, 'stop');
    expect(done).toBe('Error: launchWorkers: stop() ended the ranks before they were done');
    expect(milliseconds).toBeLessThan(1500);
  });

  const FAULTS: [string, Task['fault'], RegExp, RegExp][] = [
    ['throws', 'throw', /^rank 1 failed: BadLuck: thrown by main$/, /BadLuck: thrown by main/],
    ['leaves a rejection', 'reject', /^rank 1 failed: BadLuck: rejected$/, /BadLuck: rejected/],
    ['throws in a timer', 'throw later', /^rank 1 failed: BadLuck: thrown by a timer$/, /BadLuck/],
    ['closes', 'close', /^rank 1 failed: .*its worker ended before main did/, /ended before main/],
    [
      'returns what cannot be copied',
      'return a function',
      /^rank 1 failed: TypeError: main returned what cannot be copied to the page/,
      /cannot be copied/,
    ],
    [
      'returns while others wait for it',
      'end the barrier alone',
      /^rank [02] failed: RankFailedError: .*rank 1/,
      /rank 1/,
    ],
  ];

  it.each(FAULTS)(
    'fails within 1.5 s when a rank %s, by that rank',
    async (_, fault, message, cause) => {
      const report = await run<FailureReport>(page, 'fail', {
        what: 'wait',
        fault,
        faultyRank: 1,
      });
      expect(report.message).toMatch(message);
      expect(report.cause).toMatch(cause);
      expect(report.milliseconds).toBeLessThan(1500);
    },
  );

  const LOADS: [string, string, RegExp][] = [
    ['whose script is missing', 'missing', /^rank 1 failed: Error: its script could not be loaded/],
    [
      'whose script lacks the header',
      'bare',
      /^rank 1 failed: Error: its script could not be loaded: .*Cross-Origin-Embedder-Policy/,
    ],
    ['whose script throws', 'thrower', /^rank 1 failed: .*thrown by the script/],
    ['that is terminated', 'terminated', /^rank 1 failed: .*its worker ended before main did/],
    ['that never starts', 'silent', /^rank 1 failed: (it|ranks 1, 2) did not start within 0.5 s$/],
  ];

  it.each(LOADS)('fails within 1.5 s of a worker %s, by its rank', async (_, scenario, message) => {
    const report = await run<FailureReport>(page, scenario);
    expect(report.message).toMatch(message);
    expect(report.rank).toBe(1);
    expect(report.milliseconds).toBeLessThan(1500);
  });

  it('refuses data that cannot be copied, and wrong options, at once', async () => {
    expect(await run(page, 'uncopied')).toMatch(/^DataCloneError/);
    expect(await run(page, 'wrongOptions')).toEqual({
      factory: expect.stringMatching(/^TypeError: launchWorkers: expected a function/),
      size: 'RangeError: launchWorkers: workerNum must be 1 or more, got 0',
      type: 'TypeError: launchWorkers: workerNum must be an integer, got 1.5',
      timeout: 'RangeError: launchWorkers: timeout must be more than 0 seconds, got 0',
      here: 'TypeError: launchWorkers: mainHere must be a function, got 3',
    });
  });

  it('says what a page without isolation lacks, and what works there', async () => {
    const plain = await browser.newPage();
    await plain.goto(site.pageOf('worlds', false));
    const { isolated, launch, world } = await run<Record<string, string>>(plain, 'notIsolated');
    expect(isolated).toBe(false);
    for (const text of [launch, world]) {
      expect(text).toMatch(/Cross-Origin-Opener-Policy: same-origin/);
      expect(text).toMatch(/Cross-Origin-Embedder-Policy: require-corp/);
      expect(text).toMatch(/syncbn\/relay/);
    }
    await plain.close();
  });
});

it('trains the same weights in every browser', () => {
  const [chromium, firefox] = BROWSERS.map((name) => hashes.get(name));
  expect(chromium).toMatch(/^[0-9a-f]+$/);
  expect(firefox).toBe(chromium);
});
