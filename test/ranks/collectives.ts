/** Runs a script of collectives, with arrays as a test describes them. */

import {
  type CollectiveArray,
  createGroup,
  destroyGroup,
  getProcessGroupRanks,
  type ProcessGroup,
  type ReduceOp,
  type Work,
} from 'syncbn';

export type ArrayKind = 'float64' | 'float32' | 'int32';

/** One collective. Calls are all started first where `style` is 'split'. */
export interface Call {
  kind: 'allReduce' | 'allGather' | 'broadcast' | 'barrier' | 'raise';
  type?: ArrayKind;
  values?: number[];
  /** Instead of `values`: this many elements, element i being (i % 1000) + `base`. */
  length?: number;
  base?: number;
  op?: ReduceOp;
  root?: number;
  label?: string;
  timeout?: number;
  message?: string;
  group?: { name: string; ranks: number[] };
  /** Whether the array lies in shared memory. */
  shared?: boolean;
}

export interface CollectiveScript {
  calls: Call[];
  /** How results are waited for; 'split': all started, then waited for from the last to the first. */
  style: 'wait' | 'done' | 'split';
}

/** What a call gave: its result's elements, or the error. */
export type Outcome = { values: number[] } | { error: { name: string; message: string } };

export async function runCollectives({ calls, style }: CollectiveScript): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const started = style === 'split' ? calls.map((call) => attemptStart(call)) : [];
  const order = style === 'split' ? [...calls.keys()].reverse() : [...calls.keys()];
  for (const i of order) {
    try {
      const work = style === 'split' ? unwrap(started[i]) : start(calls[i]);
      const result = style === 'done' ? await work.done() : work.wait();
      outcomes[i] = { values: result === undefined ? [] : Array.from(result) };
    } catch (error) {
      const { name, message } = error as Error;
      outcomes[i] = { error: { name, message } };
    }
  }
  const names = new Set(calls.flatMap(({ group }) => (group === undefined ? [] : [group.name])));
  for (const name of names) destroyGroup(name);
  return outcomes;
}

type Started = { work: Work<CollectiveArray | undefined> } | { thrown: unknown };

function attemptStart(call: Call): Started {
  try {
    return { work: start(call) };
  } catch (thrown) {
    return { thrown };
  }
}

function unwrap(started: Started): Work<CollectiveArray | undefined> {
  if ('thrown' in started) throw started.thrown;
  return started.work;
}

function start(call: Call): Work<CollectiveArray | undefined> {
  const group = groupOf(call);
  const { op, root, label, timeout } = call;
  const options = {
    ...(label !== undefined && { label }),
    ...(timeout !== undefined && { timeout }),
  };
  switch (call.kind) {
    case 'allReduce':
      return group.allReduce(arrayOf(call), { ...options, ...(op && { op }) });
    case 'allGather':
      return group.allGather(arrayOf(call), options);
    case 'broadcast':
      return group.broadcast(arrayOf(call), { ...options, ...(root !== undefined && { root }) });
    case 'barrier':
      return group.barrier(options) as unknown as Work<undefined>;
    case 'raise':
      return group.raise(call.message ?? '', options) as unknown as Work<undefined>;
  }
}

function groupOf({ group }: Call): ProcessGroup {
  return group === undefined
    ? createGroup('everyone', getProcessGroupRanks())
    : createGroup(group.name, group.ranks);
}

const KINDS = { float64: Float64Array, float32: Float32Array, int32: Int32Array };

function arrayOf({ type = 'float64', values, length = 0, base = 0, shared }: Call) {
  const source = values ?? Array.from({ length }, (_, i) => (i % 1000) + base);
  const kind = KINDS[type];
  if (shared !== true) return kind.from(source) as CollectiveArray;
  const buffer = new SharedArrayBuffer(source.length * kind.BYTES_PER_ELEMENT);
  const array = new (kind as new (buffer: ArrayBufferLike) => CollectiveArray)(buffer);
  array.set(source);
  return array;
}
