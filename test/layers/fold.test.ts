import { init, release, SyncBatchNorm, Tensor } from 'syncbn';
import { foldIntoConvolution } from 'syncbn/models';
import { afterEach, describe, expect, it } from 'vitest';
import { expectClose } from '../harness/numbers.js';

afterEach(release);

const [INPUTS, OUTPUTS, SAMPLES] = [3, 4, 5];
const wave = (length: number, by: number) =>
  Float64Array.from({ length }, (_, i) => Math.sin(by * (i + 1)) + 0.3);

/** A layer that has seen something, in inference. */
async function trained(affine: boolean): Promise<SyncBatchNorm> {
  await init();
  const layer = new SyncBatchNorm(OUTPUTS, { dtype: 'float64', affine, eps: 1e-3 });
  layer.runningMean.data.set(wave(OUTPUTS, 2));
  layer.runningVar.data.set(wave(OUTPUTS, 3).map((v) => v * v + 0.1));
  layer.weight?.data.data.set(wave(OUTPUTS, 4));
  layer.bias?.data.data.set(wave(OUTPUTS, 5));
  return layer.setTrain(false) as unknown as SyncBatchNorm;
}

/** x (samples, inputs) times a kernel of (inputs, outputs), plus a bias. */
function dense(x: Float64Array, kernel: ArrayLike<number>, bias: ArrayLike<number> | null) {
  return Float64Array.from({ length: SAMPLES * OUTPUTS }, (_, i) => {
    const [sample, output] = [Math.floor(i / OUTPUTS), i % OUTPUTS];
    let sum = bias?.[output] ?? 0;
    for (let k = 0; k < INPUTS; k++) {
      sum += x[sample * INPUTS + k] * kernel[k * OUTPUTS + output];
    }
    return sum;
  });
}

describe('foldIntoConvolution', () => {
  it.each([
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ])('gives the weights that do what both did: affine %s, bias %s', async (affine, hasBias) => {
    const layer = await trained(affine);
    const x = wave(SAMPLES * INPUTS, 0.7);
    const kernel = Tensor.from(wave(INPUTS * OUTPUTS, 1.1), [INPUTS, OUTPUTS]);
    const bias = hasBias ? Tensor.from(wave(OUTPUTS, 1.3)) : null;
    const between = dense(x, kernel.data, bias?.data ?? null);
    const want = layer.forward(Tensor.from(between, [SAMPLES, OUTPUTS]));
    const folded = foldIntoConvolution(layer, kernel, bias);
    expectClose(dense(x, folded.kernel.data, folded.bias.data), [...want.data], 1e-13);
    expect(folded.kernel.shape).toEqual([INPUTS, OUTPUTS]);
    expect(folded.bias.shape).toEqual([OUTPUTS]);
  });

  it('scales the outputs of a kernel wherever they lie, and rounds once', async () => {
    await init();
    const layer = new SyncBatchNorm(2, { eps: 0 });
    layer.runningMean.data.fill(1);
    layer.runningVar.data.fill(4);
    layer.weight.data.data.set([6, 10]);
    const first = Tensor.from([1, 2, 3, 4, 5, 6, 7, 8], [2, 1, 2, 2], 'bfloat16');
    const { kernel, bias } = foldIntoConvolution(layer, first, null, { outputAxis: 0 });
    expect([...kernel.toFloats()]).toEqual([3, 6, 9, 12, 25, 30, 35, 40]);
    expect([kernel.dtype, bias.dtype, ...bias.toFloats()]).toEqual([
      'bfloat16',
      'bfloat16',
      -3,
      -5,
    ]);
    const last = Tensor.from([1, 2, 3, 4], [2, 1, 1, 2]);
    expect([...foldIntoConvolution(layer, last).kernel.data]).toEqual([3, 10, 9, 20]);
    const middle = foldIntoConvolution(layer, Tensor.ones([3, 2, 1]), null, { outputAxis: -2 });
    expect([...middle.kernel.data]).toEqual([3, 5, 3, 5, 3, 5]);
  });

  it('refuses what does not fit, by name', async () => {
    await init();
    const layer = new SyncBatchNorm(2, { name: 'bn' });
    const kernel = Tensor.ones([3, 2]);
    const cases: [() => unknown, Error][] = [
      [
        () => foldIntoConvolution(layer, [1] as never),
        new TypeError('foldIntoConvolution: the kernel must be a Tensor, got Array'),
      ],
      [
        () => foldIntoConvolution(layer, kernel, 3 as never),
        new TypeError('foldIntoConvolution: the bias must be a Tensor or null, got 3'),
      ],
      [
        () => foldIntoConvolution(layer, kernel, Tensor.ones([3])),
        new RangeError(
          "foldIntoConvolution: SyncBatchNorm 'bn' has 2 channels, the bias has shape (3,)",
        ),
      ],
      [
        () => foldIntoConvolution(layer, kernel, null, { outputAxis: 0 }),
        new RangeError(
          "foldIntoConvolution: SyncBatchNorm 'bn' has 2 channels, a kernel of shape (3, 2) has 3 " +
            'outputs on axis 0',
        ),
      ],
      [
        () => foldIntoConvolution(layer, kernel, null, { outputAxis: 2 }),
        new RangeError('foldIntoConvolution: a kernel of shape (3, 2) has no axis 2'),
      ],
      [
        () => foldIntoConvolution(layer, kernel, null, { outputAxis: 0.5 }),
        new TypeError('foldIntoConvolution: outputAxis must be an integer, got 0.5'),
      ],
      [
        () =>
          foldIntoConvolution(
            new SyncBatchNorm(2, { name: 'bare', trackRunningStats: false }),
            kernel,
          ),
        new RangeError("foldIntoConvolution: SyncBatchNorm 'bare' has no running statistics"),
      ],
    ];
    for (const [call, error] of cases) expect(call).toThrow(error);
    expect(() => foldIntoConvolution({} as never, kernel)).toThrow(TypeError);
  });
});
