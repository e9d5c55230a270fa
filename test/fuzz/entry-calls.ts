/** The calls of the other entry points: launching, relays, browsers, and networks of jax-js. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { init as initJax, numpy as np } from '@jax-js/jax';
import fc from 'fast-check';
import { SyncBatchNorm } from 'syncbn';
import { launchWorkers } from 'syncbn/browser';
import { broadcastTree, network, stage } from 'syncbn/jax';
import { launch } from 'syncbn/launch';
import { portLink, RelayHub, relayWorld, webSocketLink } from 'syncbn/relay';
import type { Call } from './call.js';
import { mostly, odd, oddOptions, plain, recipe } from './odd.js';

const folder = mkdtempSync(join(tmpdir(), 'syncbn-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const SCRIPT = join(folder, 'rank.mjs');
writeFileSync(SCRIPT, 'export function main() {}\n');

const WORLD_OPTIONS = {
  workerNum: [plain(1), plain(2)],
  timeout: [plain(5)],
  startTimeout: [plain(5)],
  grace: [plain(0)],
  args: [recipe('[]', () => [])],
  data: [plain(3)],
  output: [plain('ignore')],
};

const LAUNCH_CALLS: readonly Call[] = [
  {
    name: 'launch',
    named: /^launch: /,
    args: fc.tuple(
      mostly(plain(join(folder, 'missing.mjs')), plain(folder)),
      oddOptions(Object.keys(WORLD_OPTIONS), WORLD_OPTIONS),
    ),
    run: launch,
    check: () => 'there is no such script',
  },
  {
    name: 'launch of a script',
    named: /^launch: /,
    args: fc.tuple(
      fc.constant(plain(SCRIPT)),
      oddOptions(Object.keys(WORLD_OPTIONS), WORLD_OPTIONS),
    ),
    run: async (script: never, options: never) => {
      const world = launch(script, options);
      await world.stop();
      await world.done.catch(() => {});
    },
    // Some of them start threads.
    share: 0.005,
  },
  {
    name: 'launchWorkers',
    named: /^launchWorkers: /,
    fails: /^launchWorkers: this (browser|page) /,
    args: fc.tuple(
      mostly(recipe('() => null', () => () => null)),
      oddOptions(Object.keys(WORLD_OPTIONS), WORLD_OPTIONS),
    ),
    run: launchWorkers,
    check: () => 'Node has no Web Workers',
  },
];

const LINK = recipe('a link to nobody', () => ({
  listen: ({ closed }: { closed(why: string): void }) => queueMicrotask(() => closed('gone')),
  send: () => {},
  close: () => {},
}));

const RELAY_CALLS: readonly Call[] = [
  {
    name: 'new RelayHub',
    named: /^RelayHub: /,
    args: fc.tuple(
      oddOptions(['size', 'token', 'onFailure'], { size: [plain(2)], token: [plain('t')] }),
    ),
    run: (...args: ConstructorParameters<typeof RelayHub>) => new RelayHub(...args),
    check: (hub) => ((hub as RelayHub).size >= 1 ? null : `a hub of ${(hub as RelayHub).size}`),
  },
  {
    name: 'hub.attach',
    named: /^RelayHub: /,
    args: fc.tuple(mostly(LINK)),
    run: (end: never) => {
      const hub = new RelayHub({ size: 2 });
      hub.attach(end);
      hub.close();
    },
  },
  {
    name: 'relayWorld',
    named: /^relayWorld: /,
    fails: /^relayWorld: /,
    args: fc.tuple(
      oddOptions(['rank', 'size', 'link', 'token', 'timeout'], {
        rank: [plain(0)],
        size: [plain(2)],
        link: [LINK],
        token: [plain('t')],
        timeout: [plain(0.01)],
      }),
    ),
    run: relayWorld,
    check: () => 'nobody has let it in',
  },
  { name: 'portLink', named: /^portLink: /, args: fc.tuple(odd), run: portLink },
  { name: 'webSocketLink', named: /^webSocketLink: /, args: fc.tuple(odd), run: webSocketLink },
];

await initJax('wasm');
const LOSS = recipe('(x) => np.sum(x)', () => (x: np.Array) => np.sum(x));
const LAYERS = [
  recipe('{ bn }', () => ({ bn: new SyncBatchNorm(2) })),
  recipe('{ s: stage((x) => x) }', () => ({ s: stage((x) => x) })),
];

const JAX_CALLS: readonly Call[] = [
  {
    name: 'stage',
    named: /^stage: /,
    args: fc.tuple(mostly(LOSS), mostly(LOSS)),
    run: stage,
  },
  {
    name: 'network',
    named: /^(network|[^:]{1,90})( '.*')?: /,
    args: fc.tuple(
      mostly(...LAYERS),
      oddOptions(['loss', 'processGroup', 'name'], {
        loss: [LOSS],
        processGroup: [plain('world'), plain(null)],
        name: [plain('net')],
      }),
    ),
    run: network,
  },
  {
    name: 'broadcastTree',
    named: /^broadcastTree: /,
    args: fc.tuple(
      mostly(
        recipe('np.ones([2])', () => np.ones([2])),
        recipe('{ a: [np.ones([2])] }', () => ({ a: [np.ones([2])] })),
      ),
      oddOptions(['group', 'root'], { group: [plain('world')], root: [plain(0)] }),
    ),
    run: (arrays: never, options: never) => broadcastTree(arrays, options).done(),
  },
];

export const ENTRY_CALLS: readonly Call[] = [...LAUNCH_CALLS, ...RELAY_CALLS, ...JAX_CALLS];
