/** Page of the relay's tests: needs no isolation. */

import { RelayHub, webSocketLink } from 'syncbn/relay';
import { offer } from '../harness/scenarios.js';
import { type RelayTask, runRelayRank } from './relay-rank.js';

const token = 'of this page';

/** What a rank comes to. */
export type RelayOutcome = { readonly value: unknown } | { readonly error: string };

interface Ranks {
  readonly hub: RelayHub;
  readonly workers: readonly Worker[];
  readonly outcomes: readonly Promise<RelayOutcome>[];
}

/** @param joined called with each rank that has joined */
function startRanks(
  whatOf: (rank: number) => RelayTask['what'],
  size: number,
  joined: (rank: number) => void = () => {},
): Ranks {
  const hub = new RelayHub({ size, token });
  const workers = Array.from({ length: size }, () => {
    return new Worker(new URL('./relay-rank.js', import.meta.url), { type: 'module' });
  });
  const outcomes = workers.map((worker, rank) => {
    const { port1, port2 } = new MessageChannel();
    hub.attach(port1);
    const task: RelayTask = { what: whatOf(rank), rank, size, token };
    worker.postMessage({ task, port: port2 }, [port2]);
    return new Promise<RelayOutcome>((resolve) => {
      worker.onmessage = ({ data }) => (data === 'joined' ? joined(rank) : resolve(data));
      worker.onerror = ({ message }) => resolve({ error: message });
    });
  });
  return { hub, workers, outcomes };
}

function end({ hub, workers }: Ranks): void {
  for (const worker of workers) worker.terminate();
  hub.close();
}

/** All ranks in workers, the hub on the main thread. */
async function inWorkers({ what, size }: { what: RelayTask['what']; size: number }) {
  const ranks = startRanks(() => what, size);
  const outcomes = await Promise.all(ranks.outcomes);
  end(ranks);
  return { isolated: crossOriginIsolated, outcomes };
}

/** Rank 2's worker is terminated while the others wait for it. */
async function terminated() {
  let begun = 0;
  let count = 0;
  const whatOf = (rank: number) => (rank === 2 ? 'hang' : 'wait');
  const ranks = startRanks(whatOf, 3, () => {
    count++;
    if (count < 3) return;
    begun = performance.now();
    ranks.workers[2].terminate();
  });
  const found = await Promise.all(ranks.outcomes.slice(0, 2));
  end(ranks);
  return { found, milliseconds: performance.now() - begun };
}

/** The page itself is a rank of a hub somewhere else. */
async function overSocket({ url, task }: { url: string; task: RelayTask }) {
  const joined = () => Object.assign(globalThis, { joined: true });
  return runRelayRank(task, webSocketLink(new WebSocket(url)), joined);
}

offer({ inWorkers, terminated, overSocket });
