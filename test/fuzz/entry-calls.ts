/** The calls of launching, relays and browsers. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { launchWorkers } from 'syncbn/browser';
import { launch, launchProcesses } from 'syncbn/launch';
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

const PROCESS_OPTIONS = {
  workerNum: [plain(1), plain(2)],
  localWorkerNum: [plain(1)],
  masterAddr: [plain('127.0.0.1')],
  masterPort: [plain(0)],
  nodeRank: [plain(-1), plain(0)],
  secret: [plain('sixteen letters, or more')],
  jobName: [plain('fuzz')],
  clusterTimeOut: [plain(0.01)],
  grace: [plain(0)],
  args: [recipe('[]', () => [])],
  execArgv: [recipe('[]', () => [])],
  env: [recipe("{ A: '1' }", () => ({ A: '1' }))],
  prefix: [recipe('() => []', () => () => [])],
  onNote: [recipe('() => {}', () => () => {})],
  signal: [recipe('AbortSignal.abort()', () => AbortSignal.abort())],
};

const PROCESS_CALLS: readonly Call[] = [
  {
    name: 'launchProcesses',
    named: /^launch: /,
    // It was told to end before it began.
    fails: /^launch: /,
    args: fc.tuple(oddOptions(Object.keys(PROCESS_OPTIONS), PROCESS_OPTIONS)),
    run: (options: object) => launchProcesses(readied(options)),
    share: 0.05,
  },
  {
    name: 'launchProcesses of an odd script',
    named: /^launch: /,
    args: fc.tuple(mostly(plain(join(folder, 'missing.mjs')))),
    run: (script: never) => launchProcesses({ script, workerNum: 1, signal: AbortSignal.abort() }),
    check: () => 'there is no such script',
  },
];

/** With a script, one worker, and a signal that ends it before it begins; anything else as it is. */
function readied(options: object): never {
  if (typeof options !== 'object' || options === null) return options as never;
  const usual = { script: SCRIPT, workerNum: 1, signal: AbortSignal.abort() };
  return Object.defineProperties(usual, Object.getOwnPropertyDescriptors(options)) as never;
}

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

export const ENTRY_CALLS: readonly Call[] = [...LAUNCH_CALLS, ...PROCESS_CALLS, ...RELAY_CALLS];
