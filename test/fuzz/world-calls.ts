/** The calls that make worlds, and join and leave them. */

import fc from 'fast-check';
import * as syncbn from 'syncbn';
import type { Call } from './call.js';
import { mostly, odd, oddOptions, plain, recipe } from './odd.js';

const handle = (index = 0) => syncbn.createThreadWorld(2, { areaBytes: 65536 })[index];
const HANDLES = [
  recipe('a handle', () => handle()),
  recipe('a handle that was cloned', () => structuredClone(handle(1))),
  recipe('a handle of rank 7', () => ({ ...handle(), rank: 7 })),
  recipe('a handle without a segment', () => ({ kind: 'thread', rank: 0 })),
  recipe('a handle of other memory', () => ({
    ...handle(),
    segment: new SharedArrayBuffer(1024),
  })),
  recipe('{ connect() {} }', () => ({ connect() {} })),
];

export const WORLD_CALLS: readonly Call[] = [
  {
    name: 'createThreadWorld',
    named: /^createThreadWorld: /,
    args: fc.tuple(
      mostly(plain(1), plain(2)),
      oddOptions(['timeout', 'areaBytes'], { areaBytes: [plain(4096)], timeout: [plain(5)] }),
    ),
    run: syncbn.createThreadWorld,
    check: (handles, [size]) =>
      (handles as unknown[]).length === size ? null : `${(handles as unknown[]).length} handles`,
  },
  {
    name: 'failThreadWorld',
    named: /^failThreadWorld: /,
    args: fc.tuple(mostly(...HANDLES), mostly(plain('why'))),
    run: syncbn.failThreadWorld,
    share: 0.1,
  },
  {
    name: 'init',
    named: /^init: /,
    args: fc.tuple(
      oddOptions(['world', 'timeout', 'check'], {
        world: HANDLES,
        timeout: [plain(5)],
        check: [plain(false)],
      }),
    ),
    run: async (options: never) => {
      syncbn.release();
      try {
        await syncbn.init(options);
        return syncbn.getGroupSize();
      } finally {
        // The other calls need a world of one.
        syncbn.release();
        await syncbn.init({ check: false });
      }
    },
    check: (size) => (size === 1 || size === 2 ? null : `a world of ${size}`),
    share: 0.1,
  },
  {
    name: 'init twice',
    named: /^init: /,
    args: fc.tuple(odd),
    run: syncbn.init,
    share: 0.1,
  },
];
