/** Failure of a launch, told to every host in these words. */
export interface Failure {
  readonly text: string;
  /** Exit code for the launcher; never 0. */
  readonly exitCode: number;
  /** World rank that failed; null when no rank did. */
  readonly rank: number | null;
  /** The last lines that this rank wrote; empty when no rank failed. */
  readonly output: string;
  /** Error that a callback threw, on the host where it did. */
  readonly cause?: unknown;
}

export class LaunchError extends Error implements Failure {
  override name = 'LaunchError';
  readonly text: string;
  readonly exitCode: number;
  readonly rank: number | null;
  readonly output: string;

  constructor({ text, exitCode, rank, output, cause }: Failure) {
    super(`launch: ${text}`, cause === undefined ? {} : { cause });
    this.text = text;
    this.exitCode = exitCode;
    this.rank = rank;
    this.output = output;
  }
}

/** A failure that no rank is to blame for. */
export function failure(text: string, exitCode = 1): Failure {
  return { text, exitCode, rank: null, output: '' };
}
