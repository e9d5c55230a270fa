/** Long training leaves tensors, data and memories as they are. */

import { afterAll, describe, expect, it } from 'vitest';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { MemoryReport } from '../ranks/run-tfjs-memory.js';

afterAll(closeSharedWorlds);

describe.each(['wasm', 'cpu', 'other'])('300 steps of two ranks on %s', (backend) => {
  it('leave tensors, data and memories flat', async () => {
    const steps = backend === 'wasm' ? 300 : 60;
    const script = { backend, steps };
    const reports = await sharedWorld(2).results<MemoryReport>('tfjs-memory', () => script);
    for (const { warm, done, lossAtStart, lossAtEnd } of reports) {
      expect(done).toEqual(warm);
      expect(lossAtEnd).toBeLessThan(lossAtStart);
    }
  }, 60_000);
});

it('a step that fails leaves nothing behind', async () => {
  const script = { backend: 'wasm', steps: 0 };
  for (const { warm, done } of await sharedWorld(2).results<MemoryReport>(
    'tfjs-failing',
    () => script,
  )) {
    expect(done.slice(0, 2)).toEqual(warm.slice(0, 2));
  }
});
