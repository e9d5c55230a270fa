/**
 * A trained dense layer with batch normalization behind it, as plain weights in a file: what any
 * program can run that knows neither this package nor batch normalization.
 *
 *     npx syncrun --worker_num=2 --join=True examples/plain-weights.ts weights.safetensors
 */

import { averageGradients, getRank, init, Parameter, SyncBatchNorm, Tensor } from 'syncbn';
import {
  foldIntoConvolution,
  readSafetensors,
  recomputeRunningStatistics,
  writeSafetensors,
} from 'syncbn/models';

const [INPUTS, OUTPUTS, SAMPLES, STEPS] = [4, 3, 8, 50];
await init();

/** x times a matrix (inputs, outputs), plus a bias if there is one. */
function dense(x: Tensor, matrix: Tensor, bias: Tensor | null = null): Tensor {
  const samples = x.shape[0];
  const out = Tensor.zeros([samples, OUTPUTS]);
  for (let i = 0; i < samples * OUTPUTS; i++) {
    const [sample, output] = [Math.floor(i / OUTPUTS), i % OUTPUTS];
    let sum = bias === null ? 0 : bias.data[output];
    for (let k = 0; k < INPUTS; k++) {
      sum += x.data[sample * INPUTS + k] * matrix.data[k * OUTPUTS + output];
    }
    out.data[i] = sum;
  }
  return out;
}

/** The samples of one step on this rank: any numbers will do. */
function samplesOf(step: number): Tensor {
  const at = (i: number) => Math.sin((i + 1) * (step + 1) * (getRank() + 1.5)) + 0.5;
  const length = SAMPLES * INPUTS;
  return Tensor.from(
    Float32Array.from({ length }, (_, i) => at(i)),
    [SAMPLES, INPUTS],
  );
}

const start = Float32Array.from({ length: INPUTS * OUTPUTS }, (_, i) => Math.cos(i));
const weights = new Parameter('dense.kernel', Tensor.from(start, [INPUTS, OUTPUTS]));
const norm = new SyncBatchNorm(OUTPUTS, { name: 'norm' });

// Training: y shall be the first inputs.
for (let step = 0; step < STEPS; step++) {
  const x = samplesOf(step);
  const y = norm.forward(dense(x, weights.data));
  const wanted = (i: number) => x.data[Math.floor(i / OUTPUTS) * INPUTS + (i % OUTPUTS)];
  const dy = Tensor.from(
    y.data.map((value, i) => value - wanted(i)),
    y.shape,
  );
  const dx = norm.backward(dy);
  const slopes = Tensor.zeros(weights.data.shape);
  for (let i = 0; i < slopes.data.length; i++) {
    const [input, output] = [Math.floor(i / OUTPUTS), i % OUTPUTS];
    for (let n = 0; n < SAMPLES; n++) {
      slopes.data[i] += x.data[n * INPUTS + input] * dx.data[n * OUTPUTS + output];
    }
  }
  weights.grad = slopes;
  const parameters = [weights, ...norm.parameters()];
  averageGradients(parameters, { sampleCount: SAMPLES, lossReduction: 'sum' });
  for (const { data, grad } of parameters) {
    for (let i = 0; i < data.data.length; i++) data.data[i] -= 0.1 * (grad as Tensor).data[i];
  }
}

// The statistics of a whole pass with the final weights, instead of those that training left.
await recomputeRunningStatistics([norm], () => {
  for (let step = 0; step < STEPS; step++) norm.forward(dense(samplesOf(step), weights.data));
});

norm.setTrain(false);
const x = samplesOf(STEPS);
const expected = norm.forward(dense(x, weights.data));
const { kernel, bias } = foldIntoConvolution(norm, weights.data);
if (getRank() === 0) {
  const path = process.argv[2] ?? 'weights.safetensors';
  await writeSafetensors(path, { dense: { kernel, bias } }, { metadata: { format: 'pt' } });
  const { tensors } = await readSafetensors(path);
  const plain = dense(x, tensors['dense.kernel'], tensors['dense.bias']);
  const difference = Math.max(...plain.data.map((v, i) => Math.abs(v - expected.data[i])));
  console.log(`${path}: ${Object.keys(tensors).sort().join(', ')}`);
  console.log(difference < 1e-5 ? 'plain weights give the same' : `off by ${difference}`);
}
