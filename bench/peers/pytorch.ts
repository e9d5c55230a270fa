/**
 * PyTorch on CPUs as contestants, where there is a Python that has it: its own batch_norm over the
 * whole batch in one process with as many threads as there are ranks, and a synchronized layer over
 * gloo in as many processes, as Detectron2's NaiveSyncBatchNorm does it.
 */

import { execFile, spawn } from 'node:child_process';
import { open, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { sizeOf } from '../../src/core/layout.js';
import { dataOf, EPS, errorsOf, type LayerResults, reference } from '../data.js';
import { shapeNamed, type Task } from '../shapes.js';
import { ended, lastWordsOf } from '../turns/children.js';
import { type Contestant, LinkedContestant } from '../turns/contestant.js';
import { makeFolder } from '../turns/folders.js';
import { LineLink } from '../turns/lines.js';
import type { WorkErrors } from '../turns/protocol.js';

/** A Python that has PyTorch. */
export interface Python {
  readonly path: string;
  /** PyTorch's. */
  readonly version: string;
}

const SCRIPT = resolve('bench/peers/pytorch.py');

/**
 * glibc gives arrays of 32 MB and more back to the system at once, and their pages must be made
 * anew in every call, which takes longer than batch_norm does. PyTorch shall not lose by that.
 */
const ENVIRONMENT = {
  ...process.env,
  MALLOC_MMAP_THRESHOLD_: String(2 ** 32),
  MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
  MALLOC_TOP_PAD_: String(2 ** 28),
  // Gloo asks for the host's own name otherwise, which need not have an address.
  GLOO_SOCKET_IFNAME: process.platform === 'darwin' ? 'lo0' : 'lo',
};

/** Seconds that a Python has to load PyTorch. */
const LOADING = 60;
/** Prints PyTorch's version; its last line of an error says what is missing. */
const ASK = `import torch, torch.distributed as dist
if not (dist.is_available() and dist.is_gloo_available()):
    raise ImportError(f'PyTorch {torch.__version__} was built without gloo')
print(torch.__version__)`;

/**
 * The Python at `path`, or else the first on the PATH that has PyTorch; null where there is none.
 * @throws Error that says what `path` lacks
 */
export async function findPython(path: string | undefined): Promise<Python | null> {
  for (const candidate of path === undefined ? ['python3', 'python', '/usr/bin/python3'] : [path]) {
    try {
      const { stdout } = await promisify(execFile)(candidate, ['-c', ASK], {
        timeout: LOADING * 1000,
      });
      return { path: candidate, version: stdout.trim() };
    } catch (cause) {
      if (path === undefined) continue;
      throw new Error(`bench: --python ${path}: ${reasonOf(cause)}`, { cause });
    }
  }
  return null;
}

function reasonOf(cause: unknown): string {
  const { code, killed, stderr } = cause as { code?: unknown; killed?: boolean; stderr?: string };
  if (code === 'ENOENT') return 'there is no such program';
  if (killed) return `PyTorch was not loaded in ${LOADING} seconds`;
  const last = stderr?.trim().split('\n').at(-1);
  return last || `PyTorch cannot be loaded: ${(cause as Error).message}`;
}

/** `ranks` processes with one thread each that average gradients. */
export function startFlatAverage(python: Python, ranks: number): Contestant {
  const meeting = join(makeFolder(), 'rendezvous');
  const every = Array.from({ length: ranks }, (_, rank) => rank);
  const runs = every.map((rank) => ['average', String(rank), String(ranks), meeting]);
  return start(`PyTorch ${python.version}, gloo`, python, runs);
}

/** One process with `ranks` threads that normalises the samples of all ranks. */
export function startBatchNorm(python: Python, ranks: number): Contestant {
  const folder = makeFolder();
  const inner = start(`PyTorch ${python.version}`, python, [['batch_norm', String(ranks)]]);
  return new PyTorch(inner, folder, ranks, [Array.from({ length: ranks }, (_, rank) => rank)]);
}

/** `ranks` processes with one thread each. */
export function startGloo(python: Python, ranks: number): Contestant {
  const folder = makeFolder();
  const meeting = join(folder, 'rendezvous');
  const every = Array.from({ length: ranks }, (_, rank) => rank);
  const runs = every.map((rank) => ['gloo', String(rank), String(ranks), meeting]);
  const inner = start(`PyTorch ${python.version}, gloo`, python, runs);
  return new PyTorch(
    inner,
    folder,
    ranks,
    every.map((rank) => [rank]),
  );
}

function start(name: string, python: Python, runs: readonly string[][]): Contestant {
  const children = runs.map((args) =>
    spawn(python.path, [SCRIPT, ...args], { env: ENVIRONMENT, stdio: 'pipe' }),
  );
  const links = children.map(
    (child) => new LineLink(child.stdout, child.stdin, lastWordsOf(child)),
  );
  return new LinkedContestant(name, links, async () => {
    // The end of its input ends it.
    for (const child of children) child.stdin.end();
    await Promise.all(children.map(ended));
  });
}

/** Passes the numbers on in files, and checks what comes back. */
class PyTorch implements Contestant {
  readonly #inner: Contestant;
  readonly #folder: string;
  readonly #ranks: number;
  /** Ranks whose samples each process holds. */
  readonly #processes: readonly (readonly number[])[];

  constructor(
    inner: Contestant,
    folder: string,
    ranks: number,
    processes: readonly (readonly number[])[],
  ) {
    this.#inner = inner;
    this.#folder = folder;
    this.#ranks = ranks;
    this.#processes = processes;
  }

  get name(): string {
    return this.#inner.name;
  }

  async prepare(task: Task): Promise<WorkErrors> {
    const shape = shapeNamed(task.shape, task.channelsLast);
    await this.#writeInputs(task);
    const held = this.#processes[0].length;
    await this.#inner.prepare({
      folder: this.#folder,
      shape: [shape[0] * held, ...shape.slice(1)],
      channels: shape[task.channelsLast ? shape.length - 1 : 1],
      channelsLast: task.channelsLast,
      eps: EPS,
      /** Values from one process's part to the next one's. */
      stride: sizeOf(shape) * held,
    });
    const worst = { forward: 0, training: 0 };
    for (let p = 0; p < this.#processes.length; p++) {
      const { forward, training } = await this.#check(task, p);
      worst.forward = Math.max(worst.forward, forward);
      worst.training = Math.max(worst.training, training);
    }
    return worst;
  }

  turn(work: string, calls: number, samples: number): Promise<readonly number[]> {
    return this.#inner.turn(work, calls, samples);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  async #writeInputs(task: Task): Promise<void> {
    const files = { x: await open(this.#file('x'), 'w'), dy: await open(this.#file('dy'), 'w') };
    for (let rank = 0; rank < this.#ranks; rank++) {
      const { x, dy, weight, bias } = dataOf(task, rank);
      await files.x.write(x as Float32Array);
      await files.dy.write(dy as Float32Array);
      if (rank > 0) continue;
      await writeFile(this.#file('weight'), weight as Float32Array);
      await writeFile(this.#file('bias'), bias as Float32Array);
    }
    await Promise.all([files.x.close(), files.dy.close()]);
  }

  async #check(task: Task, process: number): Promise<{ forward: number; training: number }> {
    const want = this.#reference(task, this.#processes[process]);
    const read = async (name: string) => {
      const bytes = await readFile(this.#file(`${name}-${process}`));
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    };
    const got = {
      y: await read('y'),
      dx: await read('dx'),
      dweight: await read('dweight'),
      dbias: await read('dbias'),
    };
    const { training = Number.NaN } = errorsOf(got, want);
    const { forward = Number.NaN } = errorsOf({ y: await read('forward') }, want);
    return { forward, training };
  }

  /** The results of several ranks as one: samples one behind the other, gradients added up. */
  #reference(task: Task, held: readonly number[]): LayerResults {
    const every = Array.from({ length: this.#ranks }, (_, rank) => rank);
    const parts = held.map((rank) => reference(task, rank, every));
    return {
      y: join64(parts.map(({ y }) => y)),
      dx: join64(parts.map(({ dx }) => dx)),
      dweight: sum64(parts.map(({ dweight }) => dweight)),
      dbias: sum64(parts.map(({ dbias }) => dbias)),
    };
  }

  #file(name: string): string {
    return join(this.#folder, `${name}.bin`);
  }
}

function join64(parts: readonly ArrayLike<number>[]): Float64Array {
  const all = new Float64Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function sum64(parts: readonly ArrayLike<number>[]): Float64Array {
  return Float64Array.from(parts[0], (_, i) => parts.reduce((sum, part) => sum + part[i], 0));
}
