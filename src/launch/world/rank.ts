/** A rank as its world sees it, whatever it runs on: a thread of Node, or a Web Worker. */

import type { ThreadWorldHandle } from '../../group/thread/world.js';

export interface RankEnd {
  readonly exitCode: number;
  /** Whether something was thrown that nobody caught, if only undefined. */
  readonly threw?: boolean;
  /** What was thrown; undefined when nothing, or when it could not be copied. */
  readonly error: unknown;
  /** What the script's `main` returned. */
  readonly result: unknown;
}

export interface RankListener {
  /** The script starts now. */
  started(): void;
  /** The script has called `init`. Where nothing tells so, no rank is expected to. */
  joined(): void;
  /** The rank has ended; called once. */
  ended(end: RankEnd): void;
}

export interface RunningRank {
  /** Sends `message` to the script. */
  post(message: unknown, transferList?: readonly unknown[]): void;
  /** Asks the rank to end, as a signal of this name asks a process. @returns false if it cannot hear */
  ask?(signal: string): boolean;
  /** Ends the rank at once, also out of a blocking wait or an endless loop. */
  end(): void;
}

/** Starts one rank. @throws DataCloneError when its data cannot be copied to it */
export type StartRank = (handle: ThreadWorldHandle, listener: RankListener) => RunningRank;
