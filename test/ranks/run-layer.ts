/** Runs a layer through a script of passes and reports all that a test may want to compare. */

import {
  type AnySyncBatchNorm,
  allocateTensor,
  type BackwardOptions,
  broadcastParameters,
  createGroup,
  type DType,
  type ForwardOptions,
  GlobalBatchNorm,
  type GlobalBatchNormOptions,
  type StateDict,
  SyncBatchNorm,
  type SyncBatchNormOptions,
  Tensor,
} from 'syncbn';

/** A tensor as numbers. */
export interface Numbers {
  values: number[];
  shape: number[];
  dtype: DType;
}

/** A forward pass where there is an `x`, then a backward pass where there is a `dy`. */
export interface Pass {
  x?: Numbers;
  dy?: Numbers;
  train?: boolean;
  /** Of the forward call. */
  mask?: number[];
  maskedOutput?: 'normalize' | 'zero';
  add?: Numbers;
  activation?: 'none' | 'relu';
  /** Of the backward call: where the gradient of `add` goes, into a tensor of its own, or over dy. */
  addOut?: 'new' | 'dy';
  /** Whether tensors lie in the kernels' memory, and outputs over what they may. */
  inPlace?: boolean;
  /** A tensor whose memory was given back before the call. */
  disposed?: 'x' | 'dy';
  /** Whether this rank may not block meanwhile, as on a page. */
  mayNotBlock?: boolean;
  /** Whether the kernels' memory is full meanwhile. */
  memoryFull?: boolean;
}

export interface LayerScript {
  /** Whether `startForward` and `startBackward` are awaited; otherwise calls block. */
  awaited?: boolean;
  kind: 'SyncBatchNorm' | 'GlobalBatchNorm';
  numFeatures: number;
  options: SyncBatchNormOptions | GlobalBatchNormOptions;
  /** Values that the parameters and buffers start from. */
  state?: Record<string, number[]>;
  group?: { name: string; ranks: number[] };
  passes: Pass[];
}

export interface PassResult {
  error?: { name: string; message: string };
  y?: number[];
  dx?: number[];
  /** The gradient of `add`. */
  dadd?: number[];
  gradients?: (number[] | null)[];
  state: Record<string, number[]>;
  skippedUpdates: number;
}

export function runLayer(script: LayerScript): PassResult[] {
  const layer = makeLayer(script);
  if (script.state !== undefined) loadNumbers(layer, script.state);
  return script.passes.map((pass) => runPass(layer, pass));
}

/** The same by `startForward` and `startBackward`, all started before the first is awaited. */
export async function runAwaited(script: LayerScript): Promise<PassResult[]> {
  const layer = makeLayer(script);
  if (script.state !== undefined) loadNumbers(layer, script.state);
  const results = script.passes.map(async ({ x, dy, train, ...pass }) => {
    if (train !== undefined) layer.setTrain(train);
    const result: Partial<PassResult> = {};
    const gradient = dy && tensorFor(dy, pass);
    const to = gradient ? backwardOptionsOf(pass, gradient) : {};
    const works = {
      ...(x && { y: layer.startForward(tensorFor(x, pass), optionsOf(pass)) }),
      ...(gradient && { dx: layer.startBackward(gradient, to) }),
    };
    try {
      if (works.y) result.y = numbers(await works.y.done());
      if (works.dx) result.dx = numbers(await works.dx.done());
      if (to.addOut) result.dadd = numbers(to.addOut);
      result.gradients = layer.parameters().map(({ grad }) => (grad ? numbers(grad) : null));
    } catch (error) {
      result.error = errorOf(error);
    }
    return { ...result, ...stateOf(layer) };
  });
  return Promise.all(results);
}

/** Makes several layers, then runs the first pass of each, the second of each, and so on. */
export function runLayers(scripts: LayerScript[]): PassResult[][] {
  const layers = scripts.map((script) => makeLayer(script));
  const results: PassResult[][] = layers.map(() => []);
  const longest = Math.max(...scripts.map(({ passes }) => passes.length));
  for (let i = 0; i < longest; i++) {
    layers.forEach((layer, l) => {
      const pass = scripts[l].passes[i];
      if (pass !== undefined) results[l].push(runPass(layer, pass));
    });
  }
  return results;
}

function makeLayer({ kind, numFeatures, options, group }: LayerScript) {
  if (kind === 'GlobalBatchNorm') {
    return new GlobalBatchNorm(numFeatures, options as GlobalBatchNormOptions);
  }
  const processGroup = group === undefined ? null : createGroup(group.name, group.ranks);
  return new SyncBatchNorm(numFeatures, { ...(options as SyncBatchNormOptions), processGroup });
}

type Layer = AnySyncBatchNorm | GlobalBatchNorm;

function loadNumbers(layer: Layer, state: Record<string, number[]>): void {
  const current = layer.stateDict();
  const entries = Object.entries(current).map(([name, tensor]) => [
    name,
    state[name] === undefined ? tensor : Tensor.from(state[name], tensor.shape, tensor.dtype),
  ]);
  layer.loadStateDict(Object.fromEntries(entries) as StateDict);
}

const LOCKED = { value: false, configurable: true };

function runPass(layer: Layer, pass: Pass): PassResult {
  const { x, dy, train, memoryFull, mayNotBlock } = pass;
  if (train !== undefined) layer.setTrain(train);
  const held = memoryFull === true ? fillMemory() : [];
  const { processGroup } = layer;
  if (mayNotBlock === true) Object.defineProperty(processGroup, 'mayBlock', LOCKED);
  const result: Partial<PassResult> = {};
  try {
    if (x !== undefined) {
      result.y = numbers(layer.forward(tensorFor(x, pass, 'x'), optionsOf(pass)));
    }
    if (dy !== undefined) {
      const gradient = tensorFor(dy, pass, 'dy');
      const to = backwardOptionsOf(pass, gradient);
      result.dx = numbers(layer.backward(gradient, to));
      if (to.addOut) result.dadd = numbers(to.addOut);
      result.gradients = layer.parameters().map(({ grad }) => (grad ? numbers(grad) : null));
    }
  } catch (error) {
    result.error = errorOf(error);
  }
  for (const tensor of held) tensor.dispose();
  if (mayNotBlock === true) delete (processGroup as { mayBlock?: boolean }).mayBlock;
  return { ...result, ...stateOf(layer) };
}

function optionsOf({ mask, maskedOutput, activation, inPlace, ...pass }: Pass): ForwardOptions {
  const add = pass.add && tensorFor(pass.add, { inPlace: inPlace === true });
  return {
    ...(mask && { mask: Uint8Array.from(mask) }),
    ...(maskedOutput && { maskedOutput }),
    ...(activation && { activation }),
    ...(add && { add, ...(inPlace && { out: add }) }),
  };
}

function backwardOptionsOf({ addOut, inPlace }: Pass, dy: Tensor): BackwardOptions {
  if (addOut === undefined) return inPlace ? { out: dy } : {};
  return { addOut: addOut === 'dy' ? dy : Tensor.zeros(dy.shape, dy.dtype) };
}

/** A tensor in the kernels' memory where the pass wants it there. */
function tensorFor(numbers: Numbers, { inPlace, disposed }: Pass, name?: 'x' | 'dy'): Tensor {
  const tensor = tensorOf(numbers, name !== undefined && disposed === name);
  if (!inPlace) return tensor;
  const own = allocateTensor(tensor.shape, tensor.dtype);
  own.data.set(tensor.data);
  return own;
}

function errorOf(error: unknown): { name: string; message: string } {
  const { name, message } = error as Error;
  return { name, message };
}

function stateOf(layer: Layer): Pick<PassResult, 'state' | 'skippedUpdates'> {
  const state = Object.entries(layer.stateDict()).map(([name, t]) => [name, numbers(t)]);
  return { state: Object.fromEntries(state), skippedUpdates: layer.skippedUpdates };
}

/** Takes all that is left of the kernels' memory; for engines that grant little. */
export function fillMemory(): Tensor[] {
  const held: Tensor[] = [];
  for (let length = 2 ** 20; length >= 1; length /= 4) {
    try {
      for (;;) held.push(allocateTensor([length]));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return held;
}

function tensorOf({ values, shape, dtype }: Numbers, disposed = false): Tensor {
  const tensor = Tensor.from(values, shape, dtype);
  if (disposed) tensor.dispose();
  return tensor;
}

const numbers = (tensor: Tensor) => Array.from(tensor.toFloats());

/** Makes two layers of one width without names, and calls them in `order`; the errors. */
export function runNumbered({ order }: { order: number[] }): (string | null)[] {
  const layers = [0, 1].map(() => new SyncBatchNorm(2));
  return order.map((which) => {
    try {
      layers[which].forward(Tensor.from([which, 1, 2, 3], [2, 2]));
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  });
}

/** Broadcasts a layer, parameters and running statistics, all of them `value` on this rank. */
export function broadcastLayer({ value, root }: { value: number; root: number }): number[][] {
  const layer = new SyncBatchNorm(1);
  for (const { data } of Object.values(layer.stateTensors())) data.fill(value);
  broadcastParameters([layer], { root });
  return Object.values(layer.stateDict()).map(numbers);
}
