/** The example that exports plain weights, as users start it. */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { decodeSafetensors } from 'syncbn/models';
import { expect, it } from 'vitest';
import { SYNCRUN, workspace } from './support.js';

it('examples/plain-weights.ts writes weights that give what layer and matrix gave', async () => {
  const folder = workspace();
  const script = fileURLToPath(new URL('../../examples/plain-weights.ts', import.meta.url));
  const path = join(folder, 'weights.safetensors');
  const options = ['--worker_num=2', '--join', '--rank_prefix=False', `--log_dir=${folder}`];
  const command = [SYNCRUN, ...options, script, path];
  const { stdout } = await promisify(execFile)(process.execPath, command);
  expect(stdout).toBe(`${path}: dense.bias, dense.kernel\nplain weights give the same\n`);
  const { tensors, metadata } = decodeSafetensors(readFileSync(path));
  expect(tensors['dense.kernel'].shape).toEqual([4, 3]);
  expect({ ...metadata }).toEqual({ format: 'pt' });
});
