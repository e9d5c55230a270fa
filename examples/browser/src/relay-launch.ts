/**
 * Starts a world of workers that meet in a hub on this page, as pages do that are not cross-origin
 * isolated. Its ranks can only await one another.
 */

import { RelayHub } from 'syncbn/relay';
import type { RankMessage, RankSettings } from './protocol.js';

/** What a worker is started with. */
export interface RelayStart {
  readonly rank: number;
  readonly size: number;
  /** The way to the hub. */
  readonly port: MessagePort;
  readonly settings: RankSettings;
  /** Seconds that a collective may take. */
  readonly timeout: number;
}

/** A worker's last message. */
export type RelayEnd =
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly text: string };

export interface RelayLaunch {
  /** Resolves when all ranks have ended; rejects with the first failure, or when it is stopped. */
  readonly done: Promise<void>;
  stop(): void;
}

export function launchOverRelay(
  size: number,
  settings: RankSettings,
  timeout: number,
  onMessage: (message: RankMessage, rank: number) => void,
): RelayLaunch {
  let fail: (error: Error) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const hub = new RelayHub({ size, onFailure: (_, why) => fail(new Error(why)) });
  const workers: Worker[] = [];
  const ends = Array.from({ length: size }, (_, rank) => {
    const name = `rank ${rank}`;
    const worker = new Worker(new URL('./relay-rank.ts', import.meta.url), {
      type: 'module',
      name,
    });
    workers.push(worker);
    const { port1, port2: port } = new MessageChannel();
    hub.attach(port1);
    const start: RelayStart = { rank, size, port, settings, timeout };
    worker.postMessage(start, [port]);
    return new Promise<void>((resolve) => {
      worker.onerror = ({ message }) => fail(new Error(`${name} failed: ${message}`));
      worker.onmessage = ({ data }: MessageEvent<RankMessage | RelayEnd>) => {
        if (data.kind === 'ended') resolve();
        else if (data.kind === 'failed') fail(new Error(`${name} failed: ${data.text}`));
        else onMessage(data, rank);
      };
    });
  });
  const done = Promise.race([failed, Promise.all(ends).then(() => {})]).finally(() => {
    for (const worker of workers) worker.terminate();
    hub.close();
  });
  return { done, stop: () => fail(new Error('stopped')) };
}
