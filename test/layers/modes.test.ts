import type { GlobalBatchNormOptions, SyncBatchNormOptions } from 'syncbn';
import { afterAll, describe, expect, it } from 'vitest';
import { type Kind, LAYER_KINDS, noise, partOf, runLayer, runningOf } from '../harness/layers.js';
import { expectClose, expectSame } from '../harness/numbers.js';
import { type OracleResult, oracle } from '../harness/oracle.js';
import { closeSharedWorlds, sharedWorld } from '../harness/world.js';
import type { LayerScript, PassResult } from '../ranks/run-layer.js';

afterAll(closeSharedWorlds);

const ORACLE = { channels: 2, channelsLast: false, eps: 1e-5, weight: [1, 1], bias: [0, 0] };
const FIXED = { mean: [0.5, -1], variance: [4, 0.25] };
const xs = [0, 1, 2, 3].map((rank) => noise([3 + rank, 2], rank, rank));
const dys = xs.map(({ shape }, rank) => noise(shape, rank + 10));

type Options = SyncBatchNormOptions & GlobalBatchNormOptions;

/** Values that running statistics start from, whatever the layer calls them. */
const FIXED_STATE = {
  runningMean: FIXED.mean,
  runningVar: FIXED.variance,
  movingMean: FIXED.mean,
  movingVariance: FIXED.variance,
};

function script(kind: Kind, options: Options, rank: number, train?: boolean): LayerScript {
  return {
    kind,
    numFeatures: 2,
    options,
    state: FIXED_STATE,
    passes: [{ x: xs[rank], dy: dys[rank], ...(train !== undefined && { train }) }],
  };
}

/** What the ranks of `group` should get when they normalise together. */
const together = (group: readonly number[]) =>
  oracle(
    group.map((rank) => partOf(xs[rank], dys[rank])),
    ORACLE,
  );
const byFixed = (rank: number) =>
  oracle([partOf(xs[rank], dys[rank])], { ...ORACLE, fixed: FIXED });

function expectPass(pass: PassResult, expected: OracleResult, member: number): void {
  expect(pass.error).toBeUndefined();
  expectClose(pass.y, expected.ranks[member].y, 1e-6);
  expectClose(pass.dx, expected.ranks[member].dx, 1e-5);
  expectClose(pass.gradients?.[0] ?? [], expected.ranks[member].dweight, 1e-5);
}

/** From which statistics a call takes its mean and variance; 'fixed': the running ones. */
type Source = 'group' | 'local' | 'fixed';

const MODES: [Kind, Options, boolean, Source, moves: boolean][] = [
  ['SyncBatchNorm', {}, true, 'group', true],
  ['SyncBatchNorm', {}, false, 'fixed', false],
  ['SyncBatchNorm', { trackRunningStats: false }, true, 'group', false],
  ['SyncBatchNorm', { trackRunningStats: false }, false, 'local', false],
  ['GlobalBatchNorm', {}, true, 'group', true],
  ['GlobalBatchNorm', {}, false, 'fixed', false],
  ['GlobalBatchNorm', { useBatchStatistics: null }, true, 'group', true],
  ['GlobalBatchNorm', { useBatchStatistics: null }, false, 'fixed', false],
  ['GlobalBatchNorm', { useBatchStatistics: true }, true, 'group', true],
  // As MindSpore does: the moving statistics move whenever the batch's are taken.
  ['GlobalBatchNorm', { useBatchStatistics: true }, false, 'group', true],
  ['GlobalBatchNorm', { useBatchStatistics: false }, true, 'fixed', false],
  ['GlobalBatchNorm', { useBatchStatistics: false }, false, 'fixed', false],
];

describe('modes', () => {
  it.each(MODES)(
    '%s with %j, training %s, takes the %s statistics; running ones move: %s',
    async (kind, options, train, source, moves) => {
      const results = await runLayer(2, (rank) => script(kind, options, rank, train));
      for (const [rank, [pass]] of results.entries()) {
        if (source === 'group') expectPass(pass, together([0, 1]), rank);
        else expectPass(pass, source === 'local' ? together([rank]) : byFixed(rank), 0);
        const { mean, variance } = runningOf(pass);
        if (options.trackRunningStats === false) {
          expect(Object.keys(pass.state)).toEqual(['weight', 'bias']);
        } else if (moves) {
          expect(mean).not.toEqual(FIXED.mean);
        } else {
          expect({ mean, variance }).toEqual(FIXED);
        }
      }
    },
  );

  const silent = MODES.filter(([, , , source]) => source !== 'group');
  it.each(silent)(
    '%s with %j, training %s, sends nothing: one rank of four may call it alone',
    async (kind, options, train, source) => {
      const results = await runLayer(4, (rank) =>
        rank === 3 ? script(kind, options, 3, train) : null,
      );
      expectPass(results[3][0], source === 'local' ? together([3]) : byFixed(3), 0);
    },
  );

  it.each([
    ['SyncBatchNorm', true],
    ['GlobalBatchNorm', false],
  ] as const)('a new %s trains: %s', async (kind, trains) => {
    const results = await runLayer(2, (rank) => script(kind, {}, rank));
    for (const [rank, [pass]] of results.entries()) {
      if (trains) expectPass(pass, together([0, 1]), rank);
      else expectPass(pass, byFixed(rank), 0);
    }
  });
});

describe('a group of one', () => {
  it('never communicates: one rank of three trains alone', async () => {
    for (const reproducible of [false, true]) {
      const group = { name: 'alone', ranks: [1] };
      const results = await runLayer(3, (rank) =>
        rank === 1 ? { ...script('SyncBatchNorm', { reproducible }, 1, true), group } : null,
      );
      expectPass(results[1][0], together([1]), 0);
    }
  });

  it('is the world without a launcher', async () => {
    const results = await runLayer(1, () => script('SyncBatchNorm', {}, 0, true));
    expectPass(results[0][0], together([0]), 0);
  });
});

describe('groups of some ranks', () => {
  it.each([[[2, 0]], [[1, 3]], [[0, 3, 2]]])(
    'ranks %j normalise together, and nobody else',
    async (ranks) => {
      const group = { name: `some ${ranks.join()}`, ranks };
      const results = await runLayer(4, (rank) =>
        ranks.includes(rank) ? { ...script('SyncBatchNorm', {}, rank, true), group } : null,
      );
      const expected = together(ranks);
      ranks.forEach((rank, member) => {
        expectPass(results[rank][0], expected, member);
        expectSame(runningOf(results[rank][0]).mean, runningOf(results[ranks[0]][0]).mean);
      });
    },
  );

  it('halves of the world normalise apart, side by side', async () => {
    const half = (rank: number) => (rank < 2 ? [0, 1] : [2, 3]);
    const results = await runLayer(4, (rank) => ({
      ...script('SyncBatchNorm', {}, rank, true),
      group: { name: `half ${half(rank).join()}`, ranks: half(rank) },
    }));
    for (const [rank, [pass]] of results.entries()) {
      expectPass(pass, together(half(rank)), half(rank).indexOf(rank));
    }
  });

  it('each GlobalBatchNorm has the blocks of its own size, whatever other layers chose', async () => {
    const sizes = [2, 4, 2, 4];
    const options = (deviceNumEachGroup: number, i: number) => ({
      deviceNumEachGroup,
      name: `bn${i}`,
    });
    const results = await sharedWorld(4).results<PassResult[][]>('layers', (rank) => [
      ...sizes.map((size, i) => script('GlobalBatchNorm', options(size, i), rank, true)),
      script('SyncBatchNorm', { name: 'bn4' }, rank, true),
    ]);
    results.forEach((layers, rank) => {
      layers.forEach(([pass], layer) => {
        const size = sizes[layer] ?? 4;
        const first = rank - (rank % size);
        const block = Array.from({ length: size }, (_, i) => first + i);
        expectPass(pass, together(block), rank - first);
      });
    });
  });
});

describe.each(LAYER_KINDS)('%s without affine', (kind) => {
  const inits = { gammaInit: 3, betaInit: -1 };
  const state = { ...FIXED_STATE, weight: [9, 9], bias: [9, 9] };

  it('keeps its scale and shift: no parameters, no gradients for them', async () => {
    const options = { affine: false, ...(kind === 'GlobalBatchNorm' && inits) };
    const results = await runLayer(2, (rank) => ({
      ...script(kind, options, rank, true),
      state,
    }));
    const [weight, bias] = kind === 'GlobalBatchNorm' ? [3, -1] : [1, 0];
    const expected = oracle(
      [0, 1].map((rank) => partOf(xs[rank], dys[rank])),
      {
        ...ORACLE,
        weight: [weight, weight],
        bias: [bias, bias],
      },
    );
    for (const [rank, [pass]] of results.entries()) {
      expectClose(pass.y, expected.ranks[rank].y, 1e-6);
      expectClose(pass.dx, expected.ranks[rank].dx, 1e-5);
      expect(pass.gradients).toEqual([]);
      if (kind === 'GlobalBatchNorm') {
        expect([pass.state.gamma, pass.state.beta]).toEqual([
          [3, 3],
          [-1, -1],
        ]);
      } else {
        expect(Object.keys(pass.state)).toEqual(['runningMean', 'runningVar', 'numBatchesTracked']);
      }
    }
  });
});
