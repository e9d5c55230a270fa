/** A rank as its world sees it, whatever it runs on: a thread of Node, or a Web Worker. */

import type { ThreadWorldHandle } from '../../group/thread/world.js';

export interface RankEnd {
  readonly exitCode: number;
  /** What the script threw and nobody caught; undefined when nothing. */
  readonly error: unknown;
  /** What the script's `main` returned. */
  readonly result: unknown;
}

export interface RankListener {
  /** The script starts now. */
  started(): void;
  /** The rank has ended; called once. */
  ended(end: RankEnd): void;
}

export interface RunningRank {
  /** Sends `message` to the script. */
  post(message: unknown, transferList?: readonly unknown[]): void;
  /** Ends the rank at once, also out of a blocking wait or an endless loop. */
  end(): void;
}

/** Starts one rank. @throws DataCloneError when its data cannot be copied to it */
export type StartRank = (handle: ThreadWorldHandle, listener: RankListener) => RunningRank;
