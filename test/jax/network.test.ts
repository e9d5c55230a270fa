/** Modes, layouts and corners of networks on one rank. */

import { init as initJax, jit, nn, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { init, ProcessGroup, SyncBatchNorm, Tensor } from 'syncbn';
import { network, stage, type Tree } from 'syncbn/jax';
import { beforeAll, describe, expect, test, vi } from 'vitest';
import { expectClose } from '../harness/numbers.js';
import { mlp, models } from './models.js';
import { crossEntropy, freshNorm, numbers, randomArray, samples } from './parts.js';

beforeAll(async () => {
  await initJax('wasm');
  await init();
});

const values = (array: np.Array) => array.dataSync() as Float32Array;

function expectTree(actual: Tree, expected: Tree, tolerance = 2e-6): void {
  const [a, e] = [actual, expected].map((t) =>
    tree.leaves<np.Array>(t).flatMap((x) => [...values(x)]),
  );
  expectClose(a, e, tolerance);
}

describe('inference', () => {
  test('takes the running statistics and leaves them', () => {
    const net = mlp.cut();
    const [x, labels] = samples([6], 0, 5);
    const logits = net.predict(net.initialParameters(), x.ref);
    expect(logits.shape).toEqual([5, 5]);
    const loss = crossEntropy(logits, labels.ref).item();
    const expected = mlp.uncut(net.initialParameters(), x, labels, freshNorm).item();
    expect(loss).toBeCloseTo(expected, 6);
    expect(net.layers.bn1.numBatchesTracked?.data[0]).toBe(0);
  });

  test('follows what training has learnt', () => {
    const net = network(
      { bn: new SyncBatchNorm(2, { momentum: 1 }) },
      { loss: (x, _: np.Array) => np.sum(x) },
    );
    const x = np.array([
      [1, 10],
      [3, 30],
    ]);
    net.lossAndGradients(net.initialParameters(), x.ref, np.zeros([2])).wait();
    const y = values(net.predict(net.initialParameters(), x));
    const unbiased = [2, 200];
    const expected = [-1, -10, 1, 10].map((d, i) => d / Math.sqrt(unbiased[i % 2] + 1e-5));
    expectClose(y, expected, 1e-6);
  });

  test('takes the local batch where there are no running statistics', () => {
    const net = mlp.cut({ trackRunningStats: false });
    const [x, labels] = samples([6], 0, 5);
    const logits = net.predict(net.initialParameters(), x.ref);
    const expected = mlp.uncut(net.initialParameters(), x, labels.ref).item();
    expect(crossEntropy(logits, labels).item()).toBeCloseTo(expected, 5);
  });

  test('of single layers: frozen ones neither learn nor share gradients', () => {
    const net = mlp.cut();
    net.layers.bn1.setTrain(false);
    net.layers.bn2.setTrain(false);
    const [x, labels] = samples([6], 0, 5);
    const work = net.lossAndGradients(net.initialParameters(), x.ref, labels.ref);
    const { loss, gradients } = work.wait();
    const uncut = (p: Tree, a: np.Array, b: np.Array) => models.mlp.uncut(p, a, b, freshNorm);
    const [expected, expectedGradients] = jit(valueAndGrad(uncut))(
      net.initialParameters(),
      x,
      labels,
    );
    expectClose([loss], [expected.item()], 1e-6);
    expectTree(gradients, expectedGradients);
    expect(net.layers.bn1.numBatchesTracked?.data[0]).toBe(0);
  });
});

describe('layouts', () => {
  /** Norms at the start, side by side, and at the end, of x with the channel on axis 1. */
  const firstToLast = (channelsLast: boolean) => {
    const layer = () => new SyncBatchNorm(3, { channelsLast, eps: 0.1 });
    return network(
      { a: layer(), b: layer(), tanh: stage((x) => np.tanh(x)), c: layer() },
      { loss: (x, weights: np.Array) => np.mean(np.sin(x).mul(weights)) },
    );
  };

  test('channels first and last agree, with norms first, last and side by side', () => {
    const x = () => randomArray([4, 3, 2, 5], 3);
    const weights = () => randomArray([4, 3, 2, 5], 4);
    const last = (array: np.Array) => array.transpose([0, 2, 3, 1]);
    const one = firstToLast(false);
    const other = firstToLast(true);
    const first = one.lossAndGradients(one.initialParameters(), x(), weights()).wait();
    const second = other.lossAndGradients(other.initialParameters(), last(x()), last(weights()));
    expectClose([first.loss], [second.wait().loss], 1e-6);
    expectTree(first.gradients, second.wait().gradients);

    const norm = (v: np.Array, weight: np.Array, bias: np.Array) => {
      const d = v.ref.sub(np.mean(v, [0, 2, 3], { keepdims: true }));
      const variance = np.mean(np.square(d.ref), [0, 2, 3], { keepdims: true });
      const along = (w: np.Array) => w.reshape([3, 1, 1]);
      return d
        .div(np.sqrt(variance.add(0.1)))
        .mul(along(weight))
        .add(along(bias));
    };
    type P = Record<'a' | 'b' | 'c', { weight: np.Array; bias: np.Array }>;
    const uncut = (p: P, v: np.Array, w: np.Array) => {
      const inner = norm(norm(v, p.a.weight, p.a.bias), p.b.weight, p.b.bias);
      return np.mean(np.sin(norm(np.tanh(inner), p.c.weight, p.c.bias)).mul(w));
    };
    const { tanh: _, ...parameters } = one.initialParameters();
    const [loss, gradients] = jit(valueAndGrad(uncut))(parameters, x(), weights());
    const again = one.lossAndGradients(one.initialParameters(), x(), weights()).wait();
    expectClose([again.loss], [loss.item()], 1e-6);
    expectTree(again.gradients, gradients);
  });

  test('a mean far from 0 costs no digits', () => {
    const layer = new SyncBatchNorm(2, { momentum: 1 });
    let output: Float32Array = new Float32Array(0);
    const net = network({ bn: layer }, { loss: (x, _: np.Array) => np.sum(x) });
    const raw = numbers(400, 9).map((value) => 1000 + value);
    const x = () => np.array(raw, { shape: [200, 2] });
    net.lossAndGradients(net.initialParameters(), x(), np.zeros([200])).wait();
    output = values(net.predict(net.initialParameters(), x()));
    for (const channel of [0, 1]) {
      const column = Array.from(raw).filter((_, i) => i % 2 === channel);
      const mean = column.reduce((sum, v) => sum + v, 0) / 200;
      const variance = column.reduce((sum, v) => sum + (v - mean) ** 2, 0) / 199;
      expectClose([layer.runningVar!.toFloats()[channel] / variance], [1], 1e-6);
      // The running mean is float32, and its digits are what is lost here.
      const held = layer.runningMean!.toFloats()[channel];
      expect(Math.abs(held - mean)).toBeLessThan(3.1e-5);
      const y = output.filter((_, i) => i % 2 === channel);
      expectClose(
        y,
        column.map((v) => (v - held) / Math.sqrt(variance)),
        1e-5,
      );
    }
  });
});

describe('a step', () => {
  test('of a group of one sends nothing', () => {
    const calls = ['allReduce', 'allGather', 'broadcast', 'barrier'] as const;
    const spies = calls.map((name) => vi.spyOn(ProcessGroup.prototype, name));
    const net = mlp.cut();
    net.lossAndGradients(net.initialParameters(), ...samples([6], 0, 4)).wait();
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
    vi.restoreAllMocks();
  });

  test('gives the same when awaited, for batches of any size', async () => {
    const net = mlp.cut();
    for (const size of [4, 2, 7, 4]) {
      const one = net.lossAndGradients(net.initialParameters(), ...samples([6], 0, size)).wait();
      const work = net.lossAndGradients(net.initialParameters(), ...samples([6], 0, size));
      const other = await work.done();
      expect(other.loss).toBe(one.loss);
      expect(other.samples).toBe(size);
      expectTree(other.gradients, one.gradients, 0);
    }
  });

  test('traces each stage anew for another batch size only', () => {
    let traces = 0;
    const tanh = stage((x) => {
      traces++;
      return np.tanh(x);
    });
    const net = network(
      { a: new SyncBatchNorm(6), tanh, b: new SyncBatchNorm(6) },
      { loss: (x, labels: np.Array) => np.sum(np.sin(x)).mul(labels.mean()) },
    );
    const tracesOf = (size: number) => {
      const before = traces;
      const batch = randomArray([size, 6], size);
      net.lossAndGradients(net.initialParameters(), batch, np.ones([size])).wait();
      return traces - before;
    };
    const compiling = tracesOf(4);
    expect(compiling).toBeGreaterThan(0);
    expect([4, 4, 5, 4, 5, 6, 6].map(tracesOf)).toEqual([0, 0, compiling, 0, 0, compiling, 0]);
  });

  test('gives gradients in the form of the parameters, in whatever order they are', () => {
    const net = mlp.cut();
    const { head, bn1, ...rest } = net.initialParameters();
    const parameters = { head, ...rest, bn1 };
    const { gradients } = net.lossAndGradients(tree.ref(parameters), ...samples([6], 0, 4)).wait();
    expect(tree.structure(gradients).toString()).toBe(tree.structure(parameters).toString());
    const moved = tree.map((p: np.Array, g: np.Array) => p.sub(g), parameters, gradients);
    expect(moved.head.w.shape).toEqual([8, 5]);
  });

  test('takes what it needs beside x from the batch, and gives the loss the carry', () => {
    const net = network(
      {
        bn: new SyncBatchNorm(2),
        scale: stage((x, _, carry: { by: np.Array }) => x.mul(carry.by)),
      },
      {
        loss: (x, weights: np.Array, carry) =>
          np.sum(x.mul(weights).mul((carry as { by: np.Array }).by)),
      },
    );
    const x = () => randomArray([3, 2], 1);
    const by = () => randomArray([3, 2], 2);
    const given = { x: x(), carry: { by: by() } };
    const { loss } = net.lossAndGradients(net.initialParameters(), given, np.ones([3, 2])).wait();
    const y = values(nn.standardize(x(), 0));
    const expected = values(by()).reduce((sum, b, i) => sum + y[i] * b * b, 0);
    expect(loss).toBeCloseTo(expected, 3);
  });

  test('without affine parameters keeps an empty entry for them', () => {
    const net = mlp.cut({ affine: false });
    expect(Object.keys(net.initialParameters().bn1)).toEqual([]);
    const { gradients } = net
      .lossAndGradients(net.initialParameters(), ...samples([6], 0, 4))
      .wait();
    expect(gradients.bn1).toEqual({});
    expect(gradients.head.w.shape).toEqual([8, 5]);
  });

  test('skips, takes over or refuses NaN as its layers say', () => {
    const poisoned = () => np.array([[Number.NaN], [1]]);
    const run = (onNonFinite: 'skip' | 'propagate' | 'throw') => {
      const bn = new SyncBatchNorm(1, { onNonFinite });
      const net = network({ bn }, { loss: (x, _: np.Array) => np.sum(x) });
      const { loss } = net
        .lossAndGradients(net.initialParameters(), poisoned(), np.zeros([2]))
        .wait();
      expect(loss).toBeNaN();
      return bn;
    };
    expect(run('skip').skippedUpdates).toBe(1);
    expect(run('skip').runningMean!.toFloats()[0]).toBe(0);
    expect(run('propagate').runningMean!.toFloats()[0]).toBeNaN();
    expect(() => run('throw')).toThrow(/SyncBatchNorm\(1\).*NaN or infinity/);
  });

  test('with one value per channel in all is refused', () => {
    const net = mlp.cut();
    const work = net.lossAndGradients(net.initialParameters(), ...samples([6], 0, 1));
    expect(() => work.wait()).toThrow(/SyncBatchNorm 'bn1'.*more than one value/);
  });
});

test('trained weights go back into the layers, and from there into a new network', () => {
  const net = mlp.cut();
  const parameters = net.initialParameters();
  parameters.bn1.weight = randomArray([12], 5);
  const trained = parameters.bn1.weight.ref;
  net.store(parameters).wait();
  const state = net.layers.bn1.stateDict();
  expect(state.weight.toString()).toBe(Tensor.from(values(trained), [12]).toString());
  const other = mlp.cut();
  other.layers.bn1.loadStateDict(state);
  expectTree(other.initialParameters().bn1, net.initialParameters().bn1, 0);
});
