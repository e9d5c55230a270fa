import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { expectClose } from '../harness/numbers.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { ModelScript } from '../ranks/run-parallel.js';

afterAll(closeSharedWorlds);

const INPUTS = 3;
const FEATURES = 2;
const SAMPLES = 12;

const row = (length: number) =>
  fc.array(
    fc.integer({ min: -40, max: 40 }).map((n) => n / 8),
    { minLength: length, maxLength: length },
  );
const rows = (length: number) => fc.array(row(length), { minLength: SAMPLES, maxLength: SAMPLES });

const batches = fc.record({
  x: rows(INPUTS),
  targets: rows(FEATURES),
  weights: row(INPUTS * FEATURES).map((ws) => ws.map((w, i) => w + Math.sin(i + 1))),
  cuts: fc.array(fc.nat(SAMPLES), { minLength: 3, maxLength: 3 }),
});

describe('training a linear layer with SyncBatchNorm', () => {
  it.each([1, 2, 3, 4])(
    'over uneven batches on %i ranks equals one rank on the whole batch',
    async (size) => {
      await fc.assert(
        fc.asyncProperty(batches, async ({ x, targets, weights, cuts }) => {
          const train = (ranks: number) => {
            const ends = [...cuts.slice(0, ranks - 1).sort((a, b) => a - b), SAMPLES];
            return sharedWorld(ranks).results<number[][]>('model', (rank): ModelScript => {
              const [from, to] = [rank === 0 ? 0 : ends[rank - 1], ends[rank]];
              return {
                inputs: INPUTS,
                features: FEATURES,
                x: x.slice(from, to),
                targets: targets.slice(from, to),
                weights: rank === 0 ? weights : weights.map(() => 99),
                steps: 3,
                learningRate: 0.05,
              };
            });
          };
          const [whole] = await train(1);
          const split = await train(size);
          for (const own of split) {
            expect(own).toEqual(split[0]);
            own.forEach((values, i) => {
              expectClose(values, whole[i], 1e-9);
            });
          }
          expect(whole[0]).not.toEqual(weights);
        }),
        { numRuns: 12 },
      );
    },
  );
});
