import { PortWorld, TestWorld } from '../harness/world.js';
import { COMMON_SECTIONS, type Report, SECTION_NAMES } from '../ranks/contract.js';
import { describeTransport } from './contract.js';

async function run(world: TestWorld | PortWorld, sections: readonly string[]): Promise<Report[]> {
  try {
    return await world.results<Report>('contract', () => sections);
  } finally {
    await world.close();
  }
}

describeTransport('threads', (size) => run(new TestWorld(size), SECTION_NAMES));
describeTransport(
  'ports that can only be awaited',
  (size) => run(new PortWorld(size), COMMON_SECTIONS),
  [2, 3],
  COMMON_SECTIONS,
);
