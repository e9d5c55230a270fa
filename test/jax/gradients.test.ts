import { init as initJax, jit, numpy as np, tree, valueAndGrad } from '@jax-js/jax';
import { init } from 'syncbn';
import { beforeAll, expect, test } from 'vitest';
import { cnn, mlp, samples } from './models.js';

beforeAll(async () => {
  await initJax('wasm');
  await init();
});

test.each([['mlp', mlp], ['cnn', cnn]] as const)('%s smoke', (_, model) => {
  const net = model.cut();
  const params = net.initialParameters();
  const [x, y] = samples(model.shape as unknown as number[], 0, 8);
  const { loss, gradients } = net.lossAndGradients(tree.ref(params) as never, x.ref, y.ref).wait();
  const [l, g] = jit(valueAndGrad(model.uncut as never))(params, x, y) as any;
  console.log(loss, l.js());
  const a = tree.leaves<np.Array>(gradients as never), b = tree.leaves<np.Array>(g);
  for (let i = 0; i < a.length; i++) {
    const u = a[i].dataSync(), v = b[i].dataSync();
    let e = 0, m = 0;
    for (let j = 0; j < u.length; j++) { e = Math.max(e, Math.abs(u[j] - v[j])); m = Math.max(m, Math.abs(v[j])); }
    console.log(u.length, e, m);
  }
});
