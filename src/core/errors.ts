/**
 * Errors of ranks and collectives. Wrong arguments are TypeError and RangeError, as in MindSpore
 * (whose ValueError is RangeError here); these are for what goes wrong between ranks.
 */

/** A collective failed; the same error, in the same words, on every rank that took part. */
export class CollectiveError extends Error {
  override name = 'CollectiveError';
}

/** Ranks called different collectives at the same place of their programs. */
export class MismatchError extends CollectiveError {
  override name = 'MismatchError';
}

/** A collective's deadline passed, or ranks wait for one another in a circle. */
export class DeadlineError extends CollectiveError {
  override name = 'DeadlineError';
}

/** Another rank threw, died or left. */
export class RankFailedError extends CollectiveError {
  override name = 'RankFailedError';
  /** World rank that failed. */
  readonly rank: number;

  constructor(rank: number, message: string) {
    super(message);
    this.rank = rank;
  }
}

/** `Name: message` of anything that was thrown. */
export function describeError(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}
