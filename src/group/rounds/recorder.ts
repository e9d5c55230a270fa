/**
 * Flight recorder: the last collectives of this rank, written to a file when one fails or somebody
 * asks, to show where each rank stood. It costs a few nanoseconds a collective. Therefore most of
 * its times are those of a clock that is read now and then.
 */

import { builtin } from '../../core/platform.js';

/** Collectives that are kept; a power of 2. */
const KEPT = 256;
/** Collectives between two looks at the clock; a power of 2. */
const STRIDE = 16;
/** Milliseconds between looks for a request. */
const LOOK_MS = 500;
/** Variable with the path of the records up to `_RANK.record.json`; if unset, none are written. */
export const RECORDER_VARIABLE = 'SYNCBN_RECORDER';

/** A collective of this rank. Times in milliseconds of the epoch; 0: not yet. */
export interface RecordedCall {
  readonly group: string;
  /** Counts the group's collectives from 1. */
  number: number;
  kind: string;
  /** Elements that this rank gave. */
  count: number;
  label: string;
  /** Time of the last look at the clock: up to {@link STRIDE} collectives early. */
  started: number;
  /** Time at which the rank had waited long enough to look at the clock. */
  waiting: number;
  /** Time at which all members had come. */
  arrived: number;
  ended: number;
  failed: boolean;
}

/** Contents of a record's file. */
export interface FlightRecord {
  readonly format: 'syncbn-record-1';
  readonly rank: number;
  readonly size: number;
  /** Reason why it was written. */
  readonly reason: string;
  readonly written: number;
  /** Oldest first. */
  readonly calls: readonly RecordedCall[];
}

/** Numbers of a collective that is kept: a line of the cache. */
const NUMBER = 0;
const COUNT = 1;
const STARTED = 2;
const WAITING = 3;
const ARRIVED = 4;
const ENDED = 5;
const FAILED = 6;
const NUMBERS = 8;
/** Texts of a collective: group, kind and label. */
const TEXTS = 3;

/** Keeps two lists, since objects would box their times anew with every collective. */
export class Recorder {
  readonly #numbers = new Float64Array(NUMBERS * KEPT);
  readonly #texts = new Array<string>(TEXTS * KEPT).fill('');
  /** The time at the last look at the clock. */
  #now = performance.now();
  #next = 0;
  #rank = 0;
  #size = 0;
  #path: string | null = null;
  #looked = 0;
  #answered = 0;

  /** Names the rank whose collectives are recorded from now on. */
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

  /** @returns the place of the collective among those that are kept */
  start(group: string, number: number, kind: string, count: number, label: string): number {
    const place = this.#next & (KEPT - 1);
    if ((this.#next++ & (STRIDE - 1)) === 0) this.#now = performance.now();
    const texts = this.#texts;
    texts[TEXTS * place] = group;
    texts[TEXTS * place + 1] = kind;
    texts[TEXTS * place + 2] = label;
    const numbers = this.#numbers;
    const at = NUMBERS * place;
    numbers[at + NUMBER] = number;
    numbers[at + COUNT] = count;
    numbers[at + STARTED] = this.#now;
    numbers[at + WAITING] = 0;
    numbers[at + ARRIVED] = 0;
    numbers[at + ENDED] = 0;
    numbers[at + FAILED] = 0;
    return place;
  }

  /** Notes that the collective at `place` takes long enough for a look at the clock. */
  wait(place: number, isWaiting: boolean): void {
    this.#now = performance.now();
    if (isWaiting) this.#numbers[NUMBERS * place + WAITING] = this.#now;
  }

  /** Notes that all members have come, and more is to be sent. */
  arrive(place: number): void {
    this.#numbers[NUMBERS * place + ARRIVED] = this.#now;
  }

  end(place: number, number: number, failed: boolean): void {
    const at = NUMBERS * place;
    // After KEPT further collectives, the place holds another collective.
    if (this.#numbers[at + NUMBER] !== number) return;
    this.#numbers[at + ENDED] = this.#now;
    if (failed) this.#numbers[at + FAILED] = 1;
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

  /** Writes the record. Never throws: the error that led here matters more. */
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
      // No room, no permission, or no file system.
    }
  }

  #inOrder(): RecordedCall[] {
    const epoch = Date.now() - performance.now();
    const at = (time: number) => (time === 0 ? 0 : Math.round(epoch + time));
    const known = Math.min(this.#next, KEPT);
    return Array.from({ length: known }, (_, i) => {
      const place = (this.#next - known + i) & (KEPT - 1);
      const [group, kind, label] = this.#texts.slice(TEXTS * place, TEXTS * (place + 1));
      const numbers = this.#numbers.subarray(NUMBERS * place, NUMBERS * (place + 1));
      const [started, waiting, , ended] = numbers.subarray(STARTED).map(at);
      const failed = numbers[FAILED] === 1;
      // A collective without further rounds is over on arrival.
      const arrived = at(numbers[ARRIVED]) || (failed ? 0 : ended);
      const [number, count] = numbers;
      return { group, number, kind, count, label, started, waiting, arrived, ended, failed };
    });
  }
}

/** The recorder of this rank. */
export const recorder = new Recorder();
