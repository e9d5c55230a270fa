/**
 * A rank of a test world: runs the tasks that the test sends, one after the other, and sends back
 * what they return or throw. The launcher's part is played by test/harness/world.ts.
 */

import { parentPort, workerData } from 'node:worker_threads';
import { init } from 'syncbn';
import { type CollectiveScript, runCollectives } from './collectives.js';
import { runContract } from './contract.js';
import { warnings } from './engine.js';
import { type GroupStep, runGroups } from './groups.js';
import { misbehave } from './misbehave.js';
import { portWorld } from './port-world.js';
import { type DoorScript, runDoor } from './run-door.js';
import type { Share, StepScript } from './run-jax.js';
import { type LayerScript, runAwaited, runLayer, runLayers } from './run-layer.js';
import { runParallel, trainModel } from './run-parallel.js';

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
  collectives: (data: CollectiveScript) => runCollectives(data),
  contract: () => runContract(),
  door: (data: DoorScript) => runDoor(data),
  groups: (data: GroupStep[]) => runGroups(data),
  layer: (data: LayerScript) => (data.awaited ? runAwaited(data) : runLayer(data)),
  layers: (data: LayerScript[]) => runLayers(data),
  misbehave,
  model: trainModel,
  parallel: runParallel,
  warnings: () => warnings,
};

const port = parentPort!;
const { ports, rank, initOptions } = workerData;
await init(ports === undefined ? initOptions : { world: portWorld(rank, ports) });
port.on('message', async ({ id, name, data }: Task) => {
  const reply: Reply = { id };
  try {
    reply.result = await TASKS[name](data as never);
  } catch (error) {
    const { name: kind, message } = error as Error;
    reply.error = { name: kind, message };
  }
  port.postMessage(reply);
});
