/** The rank's side of the turns: answers requests that come to a thread, or as lines of JSON. */

import '../../src/features/all.js';
import { createInterface } from 'node:readline';
import type { Duplex } from 'node:stream';
import { parentPort } from 'node:worker_threads';
import type { Player, Reply, Request } from './protocol.js';

/** Answers the requests that come to this worker thread, until it is terminated. */
export function serveThread<T>(player: Player<T>): void {
  parentPort?.on('message', async (request: Request) => {
    parentPort?.postMessage(await answer(player, request));
  });
}

/** Answers requests until the other side ends the stream. */
export async function serveLines<T>(player: Player<T>, stream: Duplex): Promise<void> {
  for await (const line of createInterface({ input: stream })) {
    stream.write(`${JSON.stringify(await answer(player, JSON.parse(line)))}\n`);
  }
}

async function answer<T>(player: Player<T>, request: Request): Promise<Reply> {
  try {
    if (request.ask === 'prepare') return { errors: await player.prepare(request.task as T) };
    return { times: await player.turn(request.work, request.calls, request.samples) };
  } catch (error) {
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}

/**
 * Samples of a work. Every rank meets the others before the clock starts and before it stops.
 * @param run may be asynchronous
 */
export async function samplesOf(
  run: () => void | Promise<void>,
  calls: number,
  samples: number,
  meet: () => void,
): Promise<number[]> {
  const times: number[] = [];
  // The contestant before has left its own data in the cache: the first sample does not count.
  for (let sample = -1; sample < samples; sample++) {
    meet();
    const start = performance.now();
    for (let call = 0; call < calls; call++) {
      const pending = run();
      if (pending !== undefined) await pending;
    }
    meet();
    if (sample >= 0) times.push(((performance.now() - start) * 1000) / calls);
  }
  return times;
}
