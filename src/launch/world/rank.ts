/** A rank as its world sees it: a thread of Node, or a Web Worker. */

import type { ThreadWorldHandle } from '../../group/thread/world.js';

export interface RankEnd {
  readonly exitCode: number;
  /** Set if an error was thrown that nobody caught, even if only undefined. */
  readonly threw?: boolean;
  /** The error; undefined if there was none, or if it could not be copied. */
  readonly error: unknown;
  /** Value that the script's `main` returned. */
  readonly result: unknown;
}

export interface RankListener {
  /** The script starts now. */
  started(): void;
  /** The script has called `init`. If no rank reports this, none is expected to. */
  joined(): void;
  /** The rank has ended; called once. */
  ended(end: RankEnd): void;
}

export interface RunningRank {
  /** Sends `message` to the script. */
  post(message: unknown, transferList?: readonly unknown[]): void;
  /** Asks the rank to end, as a signal of this name asks a process. @returns false if it is deaf */
  ask?(signal: string): boolean;
  /** Ends the rank at once, also out of a blocking wait or an endless loop. */
  end(): void;
}

/** Starts one rank. @throws DataCloneError when its data cannot be copied to it */
export type StartRank = (handle: ThreadWorldHandle, listener: RankListener) => RunningRank;
