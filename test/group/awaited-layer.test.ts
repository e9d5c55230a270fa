import { expect, it } from 'vitest';
import { PortWorld, TestWorld } from '../harness/world.js';
import type { AwaitedStep } from '../ranks/awaited-layer.js';

const [SAMPLES, CHANNELS] = [3, 5];

/** Data of one rank; magnitudes differ, so that the order of a sum shows. */
function stepOf(rank: number): AwaitedStep {
  const element = (factor: number) => (_: unknown, i: number) =>
    Math.sin(factor * (i + 1) + rank) * 10 ** (i % 7);
  const numbers = (factor: number) => Array.from({ length: SAMPLES * CHANNELS }, element(factor));
  return { x: numbers(1.7), dy: numbers(0.3), shape: [SAMPLES, CHANNELS] };
}

async function run(world: TestWorld | PortWorld): Promise<number[][][]> {
  try {
    return await world.results<number[][]>('awaited-layer', stepOf);
  } finally {
    await world.close();
  }
}

it.each([2, 3])(
  'a layer that is awaited over ports has the bits of threads, %i ranks',
  async (size) => {
    const [overPorts, overThreads] = [
      await run(new PortWorld(size)),
      await run(new TestWorld(size)),
    ];
    expect(overPorts).toEqual(overThreads);
    expect(overPorts[0][0]).toHaveLength(SAMPLES * CHANNELS);
  },
);
