/** Worlds of threads that `launch` starts, as a program would. */

import { launch, RankFailedError } from 'syncbn/launch';
import type { RankEnd, WorldOutcome } from './oracle.js';
import type { Plan, PlanKey } from './plan.js';
import { readReport, thrown } from './report.js';

/** What `main` of a launched rank gets. */
export interface LaunchedTask {
  readonly key: PlanKey;
  readonly rank: number;
  /** Where the rank writes its report, if the thread lives that long: length, then JSON. */
  readonly slot: SharedArrayBuffer;
}

const SCRIPT = new URL('./launched-rank.js', import.meta.url);
const SLOT_BYTES = 64 * 1024;
/** Milliseconds after which a world counts as hung. */
const LIMIT_MS = 15_000;
/** MiB of heap of each rank of a world in which one exhausts its own. */
const SMALL_HEAP_MB = 24;

export async function runLaunched(plan: Plan): Promise<WorldOutcome> {
  const { seed, carrier, kinds, program, timeout, fault } = plan;
  const key = { seed, carrier, kinds };
  const slots = Array.from({ length: program.size }, () => new SharedArrayBuffer(SLOT_BYTES));
  let faultAt = 0;
  const world = launch(SCRIPT, {
    workerNum: program.size,
    timeout,
    output: 'ignore',
    data: (rank: number): LaunchedTask => ({ key, rank, slot: slots[rank] }),
    onMessage: (at) => {
      faultAt = at as number;
    },
    ...(fault.kind === 'memory exhausted' && {
      resourceLimits: { maxOldGenerationSizeMb: SMALL_HEAP_MB },
    }),
  });
  let hung = false;
  const limit = setTimeout(() => {
    hung = true;
    void world.stop();
  }, LIMIT_MS);
  let error: unknown = null;
  try {
    await world.done;
  } catch (thrownByLaunch) {
    error = thrownByLaunch;
  } finally {
    clearTimeout(limit);
  }
  const failed = error instanceof RankFailedError;
  const ranks = slots.map((slot): RankEnd => {
    const report = readReport(slot);
    return { report, hung: hung && report === null, ended: failed };
  });
  return { ranks, faultAt, launch: { error: error === null ? null : thrown(error) } };
}
