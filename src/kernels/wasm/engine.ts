/**
 * The WebAssembly of assembly/, instantiated: one memory and one instance of each build for every
 * thread that asks.
 *
 * The memory is shared although no other thread sees it: growing a shared memory detaches no
 * array, so views that users hold stay valid; its pages are only reserved until they are touched.
 */

import { decode } from '../../core/binary-text.js';
import { unmarked } from './fusing.js';
import { base, stages } from './generated/binaries.js';

/** 64 KiB, the unit of WebAssembly memories. */
export const PAGE = 65536;
/** The most pages that the binaries accept: 4 GiB less one page. */
const MAX_PAGES = 65535;

/** A stage: pointers first, then channels, rows, stride in bytes, and values per channel. */
export type Stage = (...args: number[]) => void;

/** The stages of one variant and element type. */
export interface Stages {
  readonly moments: Stage;
  readonly normalize: Stage;
  readonly gradientSums: Stage;
  readonly inputGradient: Stage;
}

export interface Variants {
  readonly plane: Stages;
  readonly row: Stages;
}

/** Operations on per-channel numbers between the stages; see assembly/statistics.ts. */
export interface Statistics {
  mergeMoments(
    mean: number,
    m2: number,
    gathered: number,
    ranks: number,
    stride: number,
    channels: number,
  ): number;
  /** Returns 1 if all are between 1 / most and most, else 0. */
  inverseDeviations(
    invstd: number,
    m2: number,
    channels: number,
    count: number,
    eps: number,
    most: number,
  ): number;
  divide(quotients: number, values: number, length: number, divisor: number): void;
  /** Running statistics of float32, a batch's of float64. */
  moveRunning(
    mean: number,
    variance: number,
    batchMean: number,
    m2: number,
    channels: number,
    divisor: number,
    share: number,
  ): void;
}

export interface Engine {
  /** True if float32 uses the build with relaxed SIMD. */
  readonly relaxed: boolean;
  readonly memory: WebAssembly.Memory;
  readonly maxPages: number;
  /** Stages of float32. */
  readonly stages: Variants;
  readonly statistics: Statistics;
  /** Instantiates another build over the same memory. */
  instantiate(binary: Uint8Array<ArrayBuffer>): WebAssembly.Exports;
  /** A stage of such a build; its arguments go to `words` in their order: see assembly/call.ts. */
  stage(exports: WebAssembly.Exports, name: string, words: string): Stage;
  /** Instantiates the stages of another element type. */
  variants(binary: Uint8Array<ArrayBuffer>): Variants;
  /** Pointer to `bytes` bytes; throws WebAssembly.RuntimeError if memory is exhausted. */
  allocate(bytes: number): number;
  release(pointer: number): void;
  /** Takes the kernels' scratch memory, once for all builds; throws as `allocate`. */
  reserveScratch(bytes: number): void;
}

export interface EngineOptions {
  /** Default: true if this JavaScript engine validates relaxed SIMD. */
  relaxed?: boolean;
  /** The most memory, in pages of 64 KiB. Default: as much as can be reserved, up to 4 GiB. */
  maxPages?: number;
  /** A memory with all its pages, instead of one that grows. */
  memory?: { memory: WebAssembly.Memory; maxPages: number };
  /** Makes a binary of one that imports a shared memory. Default: none. */
  adapt?: (binary: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>;
}

/** Reserves as much of `maxPages` as the engine grants. */
function createMemory(maxPages: number): { memory: WebAssembly.Memory; maxPages: number } {
  for (let maximum = maxPages; ; maximum = Math.floor(maximum / 2)) {
    try {
      const memory = new WebAssembly.Memory({ initial: 1, maximum, shared: true });
      return { memory, maxPages: maximum };
    } catch (error) {
      if (maximum < 2) throw error;
    }
  }
}

/** The words of assembly/call.ts, and one that nothing reads. */
const CALL = [
  ...['first', 'second', 'out', 'dy', 'x', 'mean', 'invstd', 'weight', 'bias'],
  ...['meanDy', 'meanDyXhat', 'channels', 'rows', 'stride', 'values', 'total', 'spare'],
];

/** Words that the arguments of each stage go to. */
const STAGES = {
  Moments: 'first second x',
  Normalize: 'out x mean invstd weight bias',
  GradientSums: 'first second dy x mean invstd',
  InputGradient: 'out dy x mean invstd weight meanDy meanDyXhat',
};

/**
 * Makes a stage that takes its arguments, 12 at most, as numbers: they go to the words named in
 * `words`. Without a loop over them, since small tensors take microseconds.
 */
function stageOf(
  exports: WebAssembly.Exports,
  name: string,
  words: string,
  call: Uint32Array,
): Stage {
  const run = exports[name] as (call: number) => void;
  const at = call.byteOffset;
  const names = words.split(' ');
  const [p0, p1, p2, p3, p4, p5, p6, p7, p8, p9, p10, p11] = CALL.map((_, i) =>
    CALL.indexOf(names[i] ?? 'spare'),
  );
  return (a, b, c, d, e, f, g, h = 0, i = 0, j = 0, k = 0, l = 0) => {
    call[p0] = a;
    call[p1] = b;
    call[p2] = c;
    call[p3] = d;
    call[p4] = e;
    call[p5] = f;
    call[p6] = g;
    call[p7] = h;
    call[p8] = i;
    call[p9] = j;
    call[p10] = k;
    call[p11] = l;
    run(at);
  };
}

function stagesOf(
  exports: WebAssembly.Exports,
  variant: 'plane' | 'row',
  call: Uint32Array,
): Stages {
  const stage = (name: keyof typeof STAGES) =>
    stageOf(exports, variant + name, `${STAGES[name]} channels rows stride values`, call);
  return {
    moments: stage('Moments'),
    normalize: stage('Normalize'),
    gradientSums: stage('GradientSums'),
    inputGradient: stage('InputGradient'),
  };
}

/** @throws if the engine lacks WebAssembly SIMD or shared memory */
export function createEngine(options: EngineOptions = {}): Engine {
  const most = Math.min(options.maxPages ?? MAX_PAGES, MAX_PAGES);
  const { memory, maxPages } = options.memory ?? createMemory(most);
  const instantiate = (binary: Uint8Array<ArrayBuffer>, imports: WebAssembly.Imports) =>
    new WebAssembly.Instance(new WebAssembly.Module(options.adapt?.(binary) ?? binary), {
      env: { memory },
      ...imports,
    }).exports;
  const common = instantiate(decode(base), {});
  const allocate = common.allocate as (bytes: number) => number;
  const release = common.release as (pointer: number) => void;
  const call = new Uint32Array(memory.buffer, allocate(4 * CALL.length) >>> 0, CALL.length);
  const marked = decode(stages);
  const useRelaxed = options.relaxed ?? WebAssembly.validate(marked);
  const scratch = common.scratch as (bytes: number) => number;
  const add = (binary: Uint8Array<ArrayBuffer>) => instantiate(binary, { scratch: { scratch } });
  const variants = (binary: Uint8Array<ArrayBuffer>) => {
    const exports = add(binary);
    return {
      ...exports,
      plane: stagesOf(exports, 'plane', call),
      row: stagesOf(exports, 'row', call),
    };
  };
  return {
    relaxed: useRelaxed,
    memory,
    maxPages,
    stages: variants(unmarked(marked, useRelaxed)),
    variants,
    statistics: common as unknown as Statistics,
    instantiate: add,
    stage: (exports, name, words) => stageOf(exports, name, words, call),
    // Pointers past 2 GiB come back negative.
    allocate: (bytes) => allocate(bytes) >>> 0,
    release,
    reserveScratch(bytes) {
      scratch(bytes);
    },
  };
}
