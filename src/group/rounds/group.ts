/** A group of processes, as its transport needs it. */

import type { Frames } from './rounds.js';

export interface MpiGroup {
  readonly name: string;
  /** World ranks of the members. */
  readonly ranks: readonly number[];
  /** Communicator of the members. */
  readonly comm: number;
  readonly frames: Frames;
  /** Called when a rank leaves with an error. */
  onFailure(worldRank: number): void;
  /** Called once, when the group is closed; whether its communicator may be freed. */
  onClose(clean: boolean): void;
}
