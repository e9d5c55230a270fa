/** What a rank tells of its program, over whatever carries it. */

export interface ThrownError {
  readonly name: string;
  readonly message: string;
  /** World rank of a RankFailedError. */
  readonly rank: number | null;
}

export interface Report {
  readonly rank: number;
  /** Indices of the calls that ended without an error. */
  completed: number[];
  /** Values that were wrong. */
  wrong: string[];
  /** What ended the program. */
  error: ThrownError | null;
  /** Index of the call that threw it. */
  errorIn: number | null;
  /** Milliseconds of the machine's steady clock; 0: it did not happen. */
  errorAt: number;
  /** When the fault was committed; of the guilty rank. */
  faultAt: number;
  /** What leaving the world threw, which must be nothing. */
  leaveError: ThrownError | null;
}

/** Milliseconds of the clock that all threads and processes of the machine share. */
export const now = () => Number(process.hrtime.bigint()) / 1e6;

export function emptyReport(rank: number): Report {
  return {
    rank,
    completed: [],
    wrong: [],
    error: null,
    errorIn: null,
    errorAt: 0,
    faultAt: 0,
    leaveError: null,
  };
}

export function thrown(error: unknown): ThrownError {
  if (!(error instanceof Error)) return { name: typeof error, message: String(error), rank: null };
  const { rank } = error as { rank?: number };
  return { name: error.name, message: error.message, rank: rank ?? null };
}

/** Writes a report into shared memory, where it outlives its thread: length, then JSON. */
export function writeReport(slot: SharedArrayBuffer, report: Report): void {
  const text = new TextEncoder().encode(JSON.stringify(report));
  new Uint8Array(slot, 4).set(text);
  Atomics.store(new Int32Array(slot, 0, 1), 0, text.length);
}

/** The report in a slot; null while there is none. */
export function readReport(slot: SharedArrayBuffer): Report | null {
  const length = Atomics.load(new Int32Array(slot, 0, 1), 0);
  if (length === 0) return null;
  return JSON.parse(new TextDecoder().decode(new Uint8Array(slot, 4, length).slice()));
}
