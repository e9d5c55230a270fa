/**
 * Flight recorder: the last collectives of this rank, written to a file when one fails or somebody
 * asks, so that it shows where each rank stood. Costs a few nanoseconds a collective, therefore
 * most of its times are those of a clock that is read now and then.
 */

import { builtin } from '../../core/platform.js';

/** Collectives that are kept; a power of 2. */
const KEPT = 256;
/** Collectives between two looks at the clock; a power of 2. */
const STRIDE = 16;
/** Milliseconds between looks for a request. */
const LOOK_MS = 500;
/** Variable with the path of the records up to `_RANK.record.json`; none are written without. */
export const RECORDER_VARIABLE = 'SYNCBN_RECORDER';

/** A collective of this rank. Times in milliseconds of the epoch; 0: not yet. */
export interface RecordedCall {
  group: string;
  /** Counts the group's collectives from 1. */
  number: number;
  kind: string;
  /** Elements that this rank gave. */
  count: number;
  label: string;
  /** Up to {@link STRIDE} collectives early. */
  started: number;
  /** The rank has waited for so long that it looked at the clock. */
  waiting: number;
  /** All members had come. */
  arrived: number;
  ended: number;
  failed: boolean;
}

/** What a record's file holds. */
export interface FlightRecord {
  readonly format: 'syncbn-record-1';
  readonly rank: number;
  readonly size: number;
  /** Why it was written. */
  readonly reason: string;
  readonly written: number;
  /** Oldest first. */
  readonly calls: readonly RecordedCall[];
}

const blank = (): RecordedCall => ({
  ...{ group: '', number: 0, kind: '', count: 0, label: '' },
  ...{ started: 0, waiting: 0, arrived: 0, ended: 0, failed: false },
});

export class Recorder {
  readonly #calls = Array.from({ length: KEPT }, blank);
  #next = 0;
  #now = performance.now();
  #rank = 0;
  #size = 0;
  #path: string | null = null;
  #looked = 0;
  #answered = 0;

  /** Whose collectives these are, from now on. */
  identify(rank: number, size: number): void {
    const env = (globalThis as { process?: { env?: Record<string, string | undefined> } }).process;
    this.#rank = rank;
    this.#size = size;
    this.#path = env?.env?.[RECORDER_VARIABLE] ?? null;
    this.#answered = Date.now();
    if (this.#path === null) return;
    // For a rank that waits for no collective.
    const timer = setInterval(() => this.look(), 2 * LOOK_MS) as unknown as { unref?(): void };
    timer.unref?.();
  }

  start(group: string, number: number, kind: string, count: number, label: string): RecordedCall {
    const call = this.#calls[this.#next & (KEPT - 1)];
    if ((this.#next++ & (STRIDE - 1)) === 0) this.#now = performance.now();
    call.group = group;
    call.number = number;
    call.kind = kind;
    call.count = count;
    call.label = label;
    call.started = this.#now;
    call.waiting = 0;
    call.arrived = 0;
    call.ended = 0;
    call.failed = false;
    return call;
  }

  /** `call` is of a collective that takes long enough for a look at the clock. */
  wait(call: RecordedCall, isWaiting: boolean): void {
    this.#now = performance.now();
    if (isWaiting) call.waiting = this.#now;
  }

  arrive(call: RecordedCall): void {
    call.arrived = this.#now;
  }

  end(call: RecordedCall, number: number, failed: boolean): void {
    // After KEPT collectives in which it was not over, its place is another's.
    if (call.number !== number) return;
    call.ended = this.#now;
    call.failed = failed;
  }

  /** Writes the record if somebody has asked for it since the last look. */
  look(): void {
    const now = performance.now();
    if (this.#path === null || now - this.#looked < LOOK_MS) return;
    this.#looked = now;
    const fs = builtin<typeof import('node:fs')>('node:fs');
    const asked = fs?.statSync(`${this.#path}.request`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    if (asked <= this.#answered) return;
    this.#answered = asked;
    this.dump('it was asked for');
  }

  /** Writes the record. Never throws: what went wrong matters more. */
  dump(reason: string): void {
    if (this.#path === null) return;
    const record: FlightRecord = {
      format: 'syncbn-record-1',
      ...{ rank: this.#rank, size: this.#size, reason, written: Date.now() },
      calls: this.#inOrder(),
    };
    try {
      const path = `${this.#path}_${this.#rank}.record.json`;
      builtin<typeof import('node:fs')>('node:fs')?.writeFileSync(path, JSON.stringify(record));
    } catch {
      // No room, no leave, or no file system.
    }
  }

  #inOrder(): RecordedCall[] {
    const epoch = Date.now() - performance.now();
    const at = (time: number) => (time === 0 ? 0 : Math.round(epoch + time));
    const known = Math.min(this.#next, KEPT);
    return Array.from({ length: known }, (_, i) => {
      const call = this.#calls[(this.#next - known + i) & (KEPT - 1)];
      const { started, waiting, arrived, ended } = call;
      const times = { started: at(started), waiting: at(waiting) };
      return { ...call, ...times, arrived: at(arrived), ended: at(ended) };
    });
  }
}

/** This rank's. */
export const recorder = new Recorder();
