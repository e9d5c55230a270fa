/**
 * What is said between the benchmark and the ranks of a contestant, which may be threads or
 * processes of any language: one request to every rank, one reply of each.
 */

/** Largest errors to the float64 reference, by work. Works that a task does not have are absent. */
export type WorkErrors = Readonly<Record<string, number>>;

export type Request =
  | { readonly ask: 'prepare'; readonly task: unknown }
  | {
      readonly ask: 'turn';
      readonly work: string;
      /** Calls in a sample, and samples behind one that is thrown away. */
      readonly calls: number;
      readonly samples: number;
    };

export type Reply =
  | { readonly errors: WorkErrors }
  /** Microseconds a call, of each sample. */
  | { readonly times: readonly number[] }
  | { readonly failure: string };

/** A rank's side: does the work when it is told to, and nothing between. */
export interface Player<T> {
  /** Sets a task up, does each of its works once and compares the results. */
  prepare(task: T): WorkErrors | Promise<WorkErrors>;
  /** Times of `samples` samples of `calls` calls each. */
  turn(work: string, calls: number, samples: number): readonly number[] | Promise<number[]>;
}
