/**
 * The example of MindSpore's page for mint.nn.SyncBatchNorm, on two ranks:
 *
 *     npx syncrun --worker_num=2 --local_worker_num=2 --master_port=8975 --log_dir=msrun_log \
 *       --join=True --cluster_time_out=100 examples/sync-batch-norm.ts
 */

import { createGroup, getRank, init, SyncBatchNorm, Tensor } from 'syncbn';

await init();
const group = '0-1';
createGroup(group, [0, 1]);

const syncBatchNorm = new SyncBatchNorm(2, { processGroup: group, dtype: 'float32' });
syncBatchNorm.setTrain(false);

// np.linspace(0, 5, 16), as a (2, 2, 2, 2) array
const values = Array.from({ length: 16 }, (_, i) => (5 * i) / 15);
const input = Tensor.from(values, [2, 2, 2, 2], 'float32');
const output = syncBatchNorm.forward(input);

// Each rank prints the same; one copy will do.
if (getRank() === 0) console.log(String(output));
