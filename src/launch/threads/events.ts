/** Events of a world of threads, for programs; free of Node's types, which a user may lack. */

export type OutputStream = 'stdout' | 'stderr';

/** Callbacks of a launcher; each gets the world rank that the event comes from. */
export interface RankEvents {
  /** The script posted `message` to its `parentPort`. */
  onMessage?: ((message: unknown, rank: number) => void) | undefined;
  /** The rank wrote `text`. */
  onOutput?: ((text: string, rank: number, stream: OutputStream) => void) | undefined;
  /** The rank's thread has ended. */
  onExit?: ((rank: number, exitCode: number) => void) | undefined;
}

/** Limits of a rank's memory, in MiB, as Node's `Worker` takes them. Default: Node's. */
export interface ResourceLimits {
  maxYoungGenerationSizeMb?: number;
  maxOldGenerationSizeMb?: number;
  codeRangeSizeMb?: number;
  stackSizeMb?: number;
}
