/** The training step that runs on this thread, as layers and optimizers see it. */

export interface CurrentStep {
  /**
   * Factor of this rank's mean cost: with n of the group's N samples on this rank, and R ranks,
   * n R / N. The plain mean of the ranks' gradients is then the gradient of the whole batch.
   */
  readonly weight: number;
  /** Set if this rank has no samples in the step, and works on a stand-in. */
  readonly isGhost: boolean;
}

let current: CurrentStep | null = null;

/** Null outside of steps: then all ranks weigh the same. */
export function currentStep(): CurrentStep | null {
  return current;
}

/** Runs `f` as a step in which this rank has `samples` of the `total` samples of `ranks` ranks. */
export function runStep<T>(samples: number, total: number, ranks: number, f: () => T): T {
  const outer = current;
  current = { weight: (samples * ranks) / total, isGhost: samples === 0 };
  try {
    return f();
  } finally {
    current = outer;
  }
}
