/** Script of the workers in the tests of `syncbn/browser`. */

import { createGroup, getGroupSize, getRank, init } from 'syncbn';
import { runRank } from 'syncbn/browser';
import { forward, train } from './network.js';

/** What a rank is asked to do, and which rank is asked to do otherwise. */
export interface Task {
  readonly what: 'train' | 'train with jax' | 'forward' | 'latency' | 'talk' | 'wait';
  readonly fault?: Fault;
  readonly faultyRank?: number;
}

export type Fault =
  | 'throw'
  | 'reject'
  | 'throw later'
  | 'close'
  | 'hang'
  | 'return a function'
  | 'end the barrier alone';

function everybody() {
  return createGroup(
    'everybody',
    Array.from({ length: getGroupSize() }, (_, rank) => rank),
  );
}

/** Microseconds of an all-reduce of 128 float64: the best of 10 rounds of 100. */
export function latency(): number {
  const [group, numbers] = [everybody(), new Float64Array(128)];
  const rounds = Array.from({ length: 10 }, () => {
    const start = performance.now();
    for (let i = 0; i < 100; i++) group.allReduce(numbers).wait();
    return (performance.now() - start) * 10;
  });
  return Math.min(...rounds);
}

/** A class of its own, whose name a copy would lose. */
class BadLuck extends Error {
  override name = 'BadLuck';
}

async function misbehave(fault: Fault): Promise<unknown> {
  if (fault === 'throw') throw new BadLuck('thrown by main');
  if (fault === 'reject') void Promise.reject(new BadLuck('rejected'));
  if (fault === 'throw later') setTimeout(() => thrower('thrown by a timer'), 10);
  if (fault === 'close') globalThis.close();
  if (fault === 'hang') postMessage('hanging');
  if (fault === 'return a function') return () => {};
  if (fault === 'end the barrier alone') return 'left';
  // Not a rank's own end: whatever happens now happens outside of main.
  return new Promise(() => {});
}

function thrower(message: string): never {
  throw new BadLuck(message);
}

/** Tells the page its own numbers, then those that the page answers with. */
async function talk(data: unknown): Promise<unknown> {
  const answer = new Promise((resolve) => {
    addEventListener('message', (event) => resolve(event.data), { once: true });
  });
  postMessage({ first: getRank() });
  postMessage({ second: getGroupSize() });
  return { data, answer: await answer };
}

async function main(task: Task): Promise<unknown> {
  if (task.fault !== undefined && task.faultyRank === getRank()) return misbehave(task.fault);
  // Joined already: a second `init` is harmless.
  await init();
  if (task.what === 'train') return train(50, 'wait');
  if (task.what === 'train with jax') return (await import('./jax.js')).trainJax(8, 'wait');
  if (task.what === 'forward') return forward();
  if (task.what === 'latency') return latency();
  if (task.what === 'talk') return talk(task);
  everybody().barrier({ label: 'the end' }).wait();
  return 'met';
}

// A worker's messages may arrive before a script gets this far; none may be lost.
if (new URL(import.meta.url).searchParams.has('late')) {
  await new Promise((resolve) => setTimeout(resolve, 50));
}
runRank(main);
if (new URL(import.meta.url).searchParams.has('thrower')) thrower('thrown by the script');
