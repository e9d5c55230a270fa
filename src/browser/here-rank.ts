/** The rank that runs on the launching thread itself. */

import type { ThreadWorldHandle } from '../group/thread/world.js';
import { init, release } from '../group/world.js';
import type { RankEnd, RankListener, RunningRank } from '../launch/world/rank.js';

export class HereRank implements RunningRank {
  readonly #listener: RankListener;
  #ended = false;

  constructor(handle: ThreadWorldHandle, main: () => unknown, listener: RankListener) {
    this.#listener = listener;
    void this.#run(handle, main);
  }

  post(): void {
    throw new RangeError('post: this rank runs on the thread that posts; call its code instead');
  }

  /** Its code cannot be ended, so the rank is given up, without a world. */
  end(): void {
    queueMicrotask(() => this.#end({ exitCode: 1, error: undefined, result: undefined }));
  }

  async #run(handle: ThreadWorldHandle, main: () => unknown): Promise<void> {
    let end: RankEnd = { exitCode: 0, error: undefined, result: undefined };
    try {
      await init({ world: handle });
      this.#listener.started();
      end = { ...end, result: await main() };
    } catch (error) {
      end = { ...end, exitCode: 1, error };
    }
    this.#end(end);
  }

  #end(end: RankEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    release();
    this.#listener.ended(end);
  }
}
