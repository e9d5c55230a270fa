/**
 * The example of MindSpore's page for nn.GlobalBatchNorm, on two ranks:
 *
 *     npx syncrun --worker_num=2 --join=True --log_dir=msrun_log examples/global-batch-norm.ts
 *
 * The layer is new and so in inference mode, as on that page: 1 / sqrt(1 + 1e-5) = 0.999995.
 */

import { GlobalBatchNorm, getRank, init, Tensor } from 'syncbn';

await init();

const globalBatchNorm = new GlobalBatchNorm(3, { deviceNumEachGroup: 2 });
const input = Tensor.ones([1, 3, 2, 2], 'float32');
const output = globalBatchNorm.forward(input);

// Each rank prints the same; one copy will do.
if (getRank() === 0) console.log(String(output));
