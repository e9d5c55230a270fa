/**
 * A rank of a test world: runs the tasks that the test sends, one after the other, and sends back
 * what they return or throw. The launcher's part is played by test/harness/world.ts.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { init } from 'syncbn';
import {
  type AverageScript,
  averageSamples,
  runAverages,
  runDetached,
  type SampleScript,
} from './averages.js';
import { type AwaitedStep, runAwaitedLayer } from './awaited-layer.js';
import { type CollectiveScript, runCollectives } from './collectives.js';
import { runContract } from './contract.js';
import { warnings } from './engine.js';
import { type GroupStep, runGroups } from './groups.js';
import { misbehave } from './misbehave.js';
import { portWorld } from './port-world.js';
import { type RecomputeScript, recompute } from './recompute.js';
import { type CheckedScript, runChecked } from './run-checked.js';
import { type DoorScript, runDoor } from './run-door.js';
import { type Float16Script, runFloat16 } from './run-float16.js';
import type { Share, StepScript } from './run-jax.js';
import {
  broadcastLayer,
  type LayerScript,
  runAwaited,
  runLayer,
  runLayers,
  runNumbered,
} from './run-layer.js';
import { runParallel, runSkips, type SkipScript, trainModel } from './run-parallel.js';
import type { FitScript, MaskedScript } from './run-tfjs.js';
import type { MemoryScript } from './run-tfjs-memory.js';
import type { Scenario } from './run-tfjs-scenarios.js';

export interface Task {
  id: number;
  name: string;
  data: unknown;
}

export interface Reply {
  id: number;
  result?: unknown;
  error?: { name: string; message: string };
}

const TASKS: Record<string, (data: never) => unknown> = {
  // Loaded where they are used: jax-js costs each rank a third of a second.
  'jax-steps': async (data: StepScript) => (await import('./run-jax.js')).runSteps(data),
  'jax-broadcast': async (data: { seed: number; root: number }) =>
    (await import('./run-jax.js')).runBroadcast(data),
  'jax-blocks': async (data: Share) => (await import('./run-jax.js')).runBlocks(data),
  averages: (data: AverageScript) => runAverages(data),
  'detached-average': runDetached,
  'exact-average': (data: SampleScript) => averageSamples(data),
  'awaited-layer': (data: AwaitedStep) => runAwaitedLayer(data),
  checked: (data: CheckedScript) => runChecked(data),
  collectives: (data: CollectiveScript) => runCollectives(data),
  contract: (sections: string[]) => runContract(sections),
  door: (data: DoorScript) => runDoor(data),
  float16: (data: Float16Script) => runFloat16(data),
  groups: (data: GroupStep[]) => runGroups(data),
  layer: (data: LayerScript) => (data.awaited ? runAwaited(data) : runLayer(data)),
  layers: (data: LayerScript[]) => runLayers(data),
  misbehave,
  numbered: runNumbered,
  'broadcast-layer': broadcastLayer,
  model: trainModel,
  parallel: runParallel,
  skips: (data: SkipScript) => runSkips(data),
  recompute: (data: RecomputeScript) => recompute(data),
  'tfjs-fit': async (data: FitScript) => (await import('./run-tfjs.js')).runFit(data),
  'tfjs-scenario': async (data: Scenario) =>
    (await import('./run-tfjs-scenarios.js')).runScenario(data),
  'tfjs-loop': async (data: { split: number[][] }) => (await import('./run-tfjs.js')).runLoop(data),
  'tfjs-masked': async (data: MaskedScript) => (await import('./run-tfjs.js')).runMasked(data),
  'tfjs-memory': async (data: MemoryScript) =>
    (await import('./run-tfjs-memory.js')).runMemory(data),
  'tfjs-failing': async () => (await import('./run-tfjs-memory.js')).runFailing(),
  'tfjs-pairs': async (data: { count: number; batchSize: number }) =>
    (await import('./run-tfjs.js')).runPairs(data),
  warnings: () => warnings,
};

// From build/test/ranks, where this runs.
const numbers = new URL('../../../dist/layers/numbers.js', import.meta.url);
const { forgetNumbers } = (await import(numbers.href)) as { forgetNumbers: () => void };

const port = parentPort!;
const { ports, rank, initOptions } = workerData;
await init(ports === undefined ? initOptions : { world: portWorld(rank, ports) });
port.on('message', async ({ id, name, data }: Task) => {
  const reply: Reply = { id };
  // Not all ranks take part in every task: each is a program of its own.
  forgetNumbers();
  try {
    reply.result = await TASKS[name](data as never);
  } catch (error) {
    const { name: kind, message } = error as Error;
    reply.error = { name: kind, message };
  }
  port.postMessage(reply);
});
