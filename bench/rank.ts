/** One rank of the benchmark, in a worker: checks each result, then times all competitors in turn. */

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { parentPort, workerData } from 'node:worker_threads';
import { createEngine } from '../src/kernels/engine.js';
import { WasmKernels } from '../src/kernels/wasm.js';
import { errorOf, fillPass } from './data.js';
import { Exchange } from './exchange.js';
import { Pass } from './pass.js';
import { layoutNamed, type ShapeName } from './shapes.js';

export interface RankData {
  memory: SharedArrayBuffer;
  rank: number;
  ranks: number;
  shapes: ShapeName[];
  relaxed: boolean;
  /** Seconds for each shape and layout. */
  seconds: number;
  /** Mean of x, in standard deviations. */
  mean: number;
}

/** Sorted times in microseconds of each competitor. */
export interface Measurement {
  shape: ShapeName;
  channelsLast: boolean;
  kernels: string;
  /** Bytes of x. */
  bytes: number;
  error: number;
  times: Record<'copy' | 'triad' | 'forward' | 'backward', number[]>;
}

const WARM_UP = 30;

const { memory, rank, ranks, shapes, relaxed, seconds, mean } = workerData as RankData;
if (relaxed) setFlagsFromString('--experimental-wasm-relaxed-simd');
const engine = createEngine({ relaxed });
const kernels = new WasmKernels(engine);
const limits = new WebAssembly.Instance(new WebAssembly.Module(readFileSync('build/limits.wasm')), {
  env: { memory: engine.memory },
}).exports as Record<'copy' | 'triad', (...args: number[]) => void>;
const exchange = new Exchange(memory, rank, ranks);

for (const shape of shapes) {
  for (const channelsLast of shape === 'F' || shape === 'L' ? [false] : [false, true]) {
    const measurement = measure(shape, channelsLast);
    if (rank === 0) parentPort?.postMessage(measurement);
  }
}

function measure(shape: ShapeName, channelsLast: boolean): Measurement {
  const layout = layoutNamed(shape, channelsLast);
  const pass = new Pass(kernels, exchange, layout);
  fillPass(pass, rank, mean);
  pass.forward();
  pass.backward();
  const error = errorOf(pass, rank, ranks, mean);
  if (!(error <= 1e-6)) throw new Error(`${shape}: rank ${rank} is ${error} from the reference`);
  exchange.barrier();
  const { x, y, dy, dx } = pass;
  const bytes = x.byteLength;
  const competitors = {
    copy: () => limits.copy(y.byteOffset, x.byteOffset, bytes),
    triad: () => limits.triad(dx.byteOffset, x.byteOffset, dy.byteOffset, bytes & ~63),
    forward: () => pass.forward(),
    backward: () => pass.backward(),
  };
  const times = { copy: [], triad: [], forward: [], backward: [] } as Measurement['times'];
  // About 4 copies' worth each, at 10 GB/s.
  const rounds = Math.min(3000, Math.max(15, Math.round((seconds * 1e10) / (bytes * 10))));
  const inner = bytes < 1e5 ? 20 : 1;
  for (let round = -WARM_UP; round < rounds; round++) {
    for (const [name, run] of Object.entries(competitors)) {
      // The last competitor left its own data in the cache: once without the clock.
      run();
      exchange.barrier();
      const start = performance.now();
      for (let i = 0; i < inner; i++) run();
      exchange.barrier();
      const micros = ((performance.now() - start) * 1000) / inner;
      if (round >= 0) times[name as keyof typeof times].push(micros);
    }
  }
  pass.release();
  for (const list of Object.values(times)) list.sort((a, b) => a - b);
  return { shape, channelsLast, kernels: kernels.name, bytes, error, times };
}
