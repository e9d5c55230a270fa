import { PortWorld, TestWorld } from '../harness/world.js';
import type { Report } from '../ranks/contract.js';
import { describeTransport } from './contract.js';

async function run(world: TestWorld | PortWorld): Promise<Report[]> {
  try {
    return await world.results<Report>('contract', () => ({}));
  } finally {
    await world.close();
  }
}

describeTransport('threads', (size) => run(new TestWorld(size)));
describeTransport('ports that can only be awaited', (size) => run(new PortWorld(size)), [2, 3]);
