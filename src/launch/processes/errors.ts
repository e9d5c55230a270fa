/** Why a launch failed; told to every host in these words. */
export interface Failure {
  readonly text: string;
  /** What the launcher should exit with; never 0. */
  readonly exitCode: number;
  /** World rank that failed; null when no rank did. */
  readonly rank: number | null;
}

export class LaunchError extends Error implements Failure {
  override name = 'LaunchError';
  readonly exitCode: number;
  readonly rank: number | null;

  constructor({ text, exitCode, rank }: Failure) {
    super(text);
    this.exitCode = exitCode;
    this.rank = rank;
  }

  get text(): string {
    return this.message;
  }
}

/** A failure that no rank is to blame for. */
export function failure(text: string, rank: number | null = null, exitCode = 1): Failure {
  return { text, exitCode, rank };
}
