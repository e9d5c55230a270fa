/** Relay worlds on pages without isolation, and across browsers and Node. */

import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'puppeteer-core';
import { webSocketLink } from 'syncbn/relay';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { BROWSERS, type BrowserName, startBrowser } from './harness/browsers.js';
import { run } from './harness/scenarios.js';
import { type Site, serve } from './harness/serve.js';
import type { Trained } from './pages/network.js';
import type { RelayOutcome } from './pages/relay.js';
import { type RelayTask, runRelayRank } from './pages/relay-rank.js';

let site: Site;
const browsers = new Map<BrowserName, Browser>();

beforeAll(async () => {
  site = await serve(['worlds', 'rank', 'relay', 'relay-rank']);
  for (const name of BROWSERS) browsers.set(name, await startBrowser(name));
}, 60_000);

afterAll(async () => {
  for (const browser of browsers.values()) await browser.close();
  site.close();
});

async function openPage(name: BrowserName, script: string, isolated: boolean): Promise<Page> {
  const page = await browsers.get(name)!.newPage();
  await page.goto(site.pageOf(script, isolated));
  return page;
}

interface InWorkers {
  isolated: boolean;
  outcomes: RelayOutcome[];
}

describe.each(BROWSERS)('in %s, on a page without isolation, workers over ports', (name) => {
  let page: Page;
  beforeAll(async () => {
    page = await openPage(name, 'relay', false);
  });

  it.each(['train', 'train with jax'] as const)(
    '%s to the bits of threads',
    async (what) => {
      const { isolated, outcomes } = await run<InWorkers>(page, 'inWorkers', { what, size: 3 });
      expect(isolated).toBe(false);
      const threads = await openPage(name, 'worlds', true);
      const expected = await run<{ result: Trained }[]>(threads, 'results', { task: { what } });
      expect(outcomes).toEqual(expected.map(({ result }) => ({ value: result })));
      expect(new Set(expected.map(({ result }) => result.hash)).size).toBe(1);
      await threads.close();
    },
    60_000,
  );

  it('sum 128 float64 in less than 3 ms', async () => {
    const task = { what: 'latency', size: 3 };
    const { outcomes } = await run<InWorkers>(page, 'inWorkers', task);
    const milliseconds = outcomes.map((outcome) => ('value' in outcome ? outcome.value : outcome));
    console.log(`${name}: all-reduce over ports takes ${milliseconds} ms`);
    for (const time of milliseconds) expect(time).toBeLessThan(3);
  });

  it('hear within 1.5 s that one of them was terminated', async () => {
    const { found, milliseconds } = await run<{ found: RelayOutcome[]; milliseconds: number }>(
      page,
      'terminated',
    );
    for (const outcome of found) {
      expect(outcome).toEqual({
        error: 'RankFailedError: rank 2 failed: the other side has ended',
      });
    }
    expect(milliseconds).toBeLessThan(1500);
  });
});

describe('a hub for WebSockets', () => {
  const token = 'of this test';
  let hub: ChildProcess;
  let url: string;

  /** The example, as a program of its own. */
  beforeEach(async () => {
    const script = fileURLToPath(new URL('../../examples/relay/server.ts', import.meta.url));
    const options = ['--size', '3', '--token', token, '--port', '0'];
    hub = spawn(process.execPath, ['--import', 'tsx', script, ...options]);
    url = await new Promise<string>((resolve, reject) => {
      hub.stdout!.once('data', (line) => resolve(/ws:\S+/.exec(String(line))![0]));
      hub.once('exit', (code) => reject(new Error(`the hub ended with ${code}`)));
    });
  }, 30_000);

  afterEach(() => {
    hub.kill();
  });

  /** Ranks 0, 1 and 2: pages in Chromium and Firefox, and this process. */
  async function inAll<T>(what: RelayTask['what']): Promise<T[]> {
    const taskOf = (rank: number): RelayTask => ({ what, rank, size: 3, token });
    const pages = await Promise.all(BROWSERS.map((name) => openPage(name, 'relay', false)));
    const inPages = pages.map((page, rank) =>
      run<T>(page, 'overSocket', { url, task: taskOf(rank) }),
    );
    const here = runRelayRank(taskOf(2), webSocketLink(new WebSocket(url))) as Promise<T>;
    const results = await Promise.all([...inPages, here]);
    for (const page of pages) await page.close();
    return results;
  }

  /** Throws messages at the hub that no rank would send, until `done`. @returns how many */
  async function throwNoise(done: Promise<unknown>): Promise<number> {
    let isOver = false;
    void done.finally(() => {
      isOver = true;
    });
    let thrown = 0;
    while (!isOver || thrown < 100) {
      const socket = new WebSocket(url);
      await new Promise<void>((closed) => {
        socket.on('open', () => socket.send(new Uint8Array(thrown % 300).fill(thrown)));
        socket.on('error', () => {});
        socket.on('close', () => closed());
      });
      thrown++;
    }
    return thrown;
  }

  it('lets Chromium, Firefox and Node train one network, whatever else is said to it', async () => {
    const ranks = inAll<Trained>('train');
    const thrown = await throwNoise(ranks);
    const trained = await ranks;
    console.log(`trained beside ${thrown} malformed messages: ${trained[0].hash}`);
    expect(trained.map(({ rank }) => rank)).toEqual([0, 1, 2]);
    const [{ hash, losses }] = trained;
    expect(trained.map((own) => own.hash)).toEqual([hash, hash, hash]);
    expect(losses[1]).toBeLessThan(losses[0]);
  }, 60_000);

  it('sums 128 float64 over three of them in less than 50 ms', async () => {
    const milliseconds = await inAll<number>('latency');
    console.log(`all-reduce over sockets takes ${milliseconds.map((ms) => ms.toFixed(2))} ms`);
    for (const time of milliseconds) expect(time).toBeLessThan(50);
  }, 60_000);

  it('tells the others at once that a page was closed', async () => {
    const task = { what: 'wait', size: 3, token } as const;
    const [first, second] = await Promise.all(
      BROWSERS.map((name) => openPage(name, 'relay', false)),
    );
    const waiting = expect(
      run(first, 'overSocket', { url, task: { ...task, rank: 0 } }),
    ).rejects.toThrow(/^RankFailedError: rank 1 failed: its connection closed/);
    // It never returns: its page is closed before.
    run(second, 'overSocket', { url, task: { ...task, what: 'hang', rank: 1 } }).catch(() => {});
    await second.waitForFunction(() => 'joined' in globalThis);
    const begun = performance.now();
    await second.close();
    await waiting;
    expect(performance.now() - begun).toBeLessThan(1500);
    await first.close();
  }, 60_000);
});
