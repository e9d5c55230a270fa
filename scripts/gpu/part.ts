/** One part of `scripts/gpu.mjs`, in a process of its own; prints a line of JSON for each result. */

import type { Check } from '../../test/webgpu/checks.js';
import { openWebgpu } from '../../test/webgpu/open.js';
import { measureDigits } from './digits.js';
import { measureTensorFlow } from './tensorflow.js';

export interface PartOptions {
  /** If true, drivers that compute on the processor will do. */
  software: boolean;
  /** Steps of each measurement. */
  steps: number;
  /** Samples of a step, over all ranks. */
  batches: readonly number[];
  /** Numbers of ranks. */
  ranks: readonly number[];
}

/** A list of times, in milliseconds. */
export interface Times {
  what: string;
  device: string;
  ranks: number;
  /** Samples of all ranks. */
  batch: number;
  times: readonly number[];
}

function emit(kind: string, record: object): void {
  console.log(JSON.stringify({ kind, ...record }));
}

function emitTimes({ times, ...rest }: Times): void {
  const sorted = Float64Array.from(times).sort();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))];
  const spread = { median: at(0.5), low: at(0.1), high: at(0.9), runs: sorted.length };
  emit('time', { ...rest, ...spread });
}

async function runChecks(checks: readonly Check[]): Promise<void> {
  for (const { title, run } of checks) {
    const start = performance.now();
    let error: string | null = null;
    try {
      await run();
    } catch (thrown) {
      error = (thrown as Error).message;
    }
    emit('check', { title, ms: performance.now() - start, error });
  }
}

const rank = (name: string) => new URL(`./${name}.mjs`, import.meta.url);

const PARTS: Record<string, (options: PartOptions) => Promise<void>> = {
  async adapter({ software }) {
    const adapter = await openWebgpu();
    emit('adapter', adapter);
    const error =
      adapter.isSoftware && !software
        ? `${adapter.description} computes on the processor; --software allows it`
        : null;
    emit('check', { title: 'the adapter is a GPU', ms: 0, error });
  },
  async jax() {
    const { jaxChecks } = await import('../../test/webgpu/jax-checks.js');
    await runChecks(jaxChecks(rank('jax-rank')));
  },
  async tfjs() {
    await openWebgpu();
    const { tfjsChecks } = await import('../../test/webgpu/tfjs-checks.js');
    await runChecks(tfjsChecks(rank('tfjs-rank')));
  },
  'jax-webgpu': (options) => measureDigits('webgpu', options, rank('digits-rank'), emitTimes),
  'jax-wasm': (options) => measureDigits('wasm', options, rank('digits-rank'), emitTimes),
  'tfjs-webgpu': (options) => measureTensorFlow('webgpu', options, emitTimes),
  'tfjs-wasm': (options) => measureTensorFlow('wasm', options, emitTimes),
};

const [name, options] = process.argv.slice(2);
await PARTS[name](JSON.parse(options));
// Dawn keeps the process alive.
process.exit(0);
