/**
 * The memory that the threads of a world share, and its layout.
 *
 * header | failure record | a line for each rank | areas of groups, one after the other
 *
 * All control words are Int32, read and written with Atomics. Offsets are in words of 4 bytes.
 */

import type { WasmMemory } from '../reducer.js';
import { FailureRecord, RECORD_WORDS } from './failure-record.js';
import { createSegmentMemory } from './memory.js';

/** 'sbn1': tells a segment of this version from any other buffer. */
const MAGIC = 0x73626e31;
const WORD_MAGIC = 0;
const WORD_SIZE = 1;
const WORD_TIMEOUT_MS = 2;

/** Spin lock over the list of areas: 1 plus the rank that holds it; 0: free. */
export const WORD_LOCK = 3;
/** First word that no area has taken yet. */
export const WORD_FREE = 4;
/** Counts up whenever a rank or a group may have failed or left. */
export const WORD_ALARMS = 5;
/** Counts the areas that were made; changed by the rank that holds the lock. */
export const WORD_BORN = 6;
/** Counts what ends a rank's part in the world or in a group: a way out, or its thread's end. */
const WORD_LEAVES = 7;
const HEADER_WORDS = 16;
/** Words of a rank's line; two cache lines, so that neighbours do not share one. */
const RANK_WORDS = 32;

/** Words of a rank's line. */
export const RANK = {
  /** Counts up when something happened that the rank may wait for. */
  doorbell: 0,
  /** 1 while the rank sleeps, or may: only then its bell must be rung. */
  parked: 1,
  /** 1 when the thread has ended. */
  exited: 2,
  exitCode: 3,
  /** Area (word) and collective (number) that a blocked rank waits in; 0: not blocked. */
  blockedArea: 4,
  blockedCall: 5,
  /** Counts up with each blocking, so that a reader can tell if it is still the same. */
  blockedEpoch: 6,
  /** Times that the rank has left the world: it may come back. */
  left: 7,
  /** Word of the area of a group in which the rank awaits a collective; 0: it awaits none. */
  awaitedArea: 8,
  /** 1 plus the rank for which its latest collective failed; 0: it did not. */
  blamed: 9,
  /** Its place among all who left, by the world's count; 0: it is there. */
  leftAs: 10,
} as const;

/** Longest time in the header; it stands for 'never', and so do longer times. */
const NEVER_MS = 0x7fffffff;

/** Memory of a segment; either kind goes to other threads by `workerData` or `postMessage`. */
export type SegmentMemory = WasmMemory | SharedArrayBuffer;

export interface SegmentOptions {
  /** Ranks of the world. */
  size: number;
  /** Seconds that a collective may take by default. */
  timeout: number;
  /** Bytes for the areas of groups, on top of the fixed part. */
  areaBytes: number;
}

export class Segment {
  readonly memory: SegmentMemory;
  readonly words: Int32Array;
  readonly size: number;
  /** Reason why the world ended, once a rank has thrown or died. */
  readonly failure: FailureRecord;

  /** Views `memory`. @throws TypeError for a memory that is not a world's segment */
  constructor(memory: SegmentMemory, caller = 'init') {
    this.memory = memory;
    // Not by WebAssembly.Memory, which some engines lack; a handle made by hand may hold nothing.
    const buffer = memory instanceof SharedArrayBuffer ? memory : memory?.buffer;
    const isShared = buffer instanceof SharedArrayBuffer && buffer.byteLength % 4 === 0;
    this.words = isShared ? new Int32Array(buffer) : new Int32Array(1);
    if (this.words[WORD_MAGIC] !== MAGIC) {
      throw new TypeError(`${caller}: the world handle is not a segment of this version of syncbn`);
    }
    this.size = this.words[WORD_SIZE];
    this.failure = new FailureRecord(this.words, HEADER_WORDS);
  }

  static create({ size, timeout, areaBytes }: SegmentOptions): Segment {
    const fixed = HEADER_WORDS + RECORD_WORDS + size * RANK_WORDS;
    // Untouched pages cost nothing: the operating system allocates them on first use.
    const memory = createSegmentMemory(fixed * 4 + Math.ceil(areaBytes / 4) * 4);
    const words = new Int32Array(memory instanceof SharedArrayBuffer ? memory : memory.buffer);
    words[WORD_MAGIC] = MAGIC;
    words[WORD_SIZE] = size;
    // At least a millisecond: 0 would not be a time-out.
    words[WORD_TIMEOUT_MS] = Math.min(Math.max(1, timeout * 1000), NEVER_MS);
    words[WORD_FREE] = fixed;
    return new Segment(memory);
  }

  /** Seconds that a collective may take by default. */
  get timeout(): number {
    const milliseconds = this.words[WORD_TIMEOUT_MS];
    return milliseconds === NEVER_MS ? Number.POSITIVE_INFINITY : milliseconds / 1000;
  }

  /** First word of the areas. */
  get firstArea(): number {
    return this.rankWord(this.size, 0);
  }

  /** Index of a word of `rank`'s line. */
  rankWord(rank: number, word: number): number {
    return HEADER_WORDS + RECORD_WORDS + rank * RANK_WORDS + word;
  }

  load(rank: number, word: number): number {
    return Atomics.load(this.words, this.rankWord(rank, word));
  }

  store(rank: number, word: number, value: number): void {
    Atomics.store(this.words, this.rankWord(rank, word), value);
  }

  /** Notes that `rank` blocks in collective `call` of the group in `area`; 0: no longer. */
  markBlocked(rank: number, area: number, call: number): void {
    // No reader may take the old group for the group of the new call: the group goes first.
    this.store(rank, RANK.blockedArea, 0);
    Atomics.add(this.words, this.rankWord(rank, RANK.blockedEpoch), 1);
    this.store(rank, RANK.blockedCall, call);
    if (call !== 0) this.store(rank, RANK.blamed, 0);
    this.store(rank, RANK.blockedArea, area);
  }

  /** The next place among those who leave the world, a group, or the living; from 1. */
  nextLeave(): number {
    return Atomics.add(this.words, WORD_LEAVES, 1) + 1;
  }

  /** Notes when `rank` left or ended, unless it had left before. */
  markGone(rank: number): void {
    Atomics.compareExchange(this.words, this.rankWord(rank, RANK.leftAs), 0, this.nextLeave());
  }

  /** Wakes `rank` if it sleeps. */
  ring(rank: number): void {
    if (this.load(rank, RANK.parked) === 0) return;
    const bell = this.rankWord(rank, RANK.doorbell);
    Atomics.add(this.words, bell, 1);
    Atomics.notify(this.words, bell);
  }

  /** To be called after a failure is written, or a rank or member marked as gone. */
  raiseAlarm(): void {
    Atomics.add(this.words, WORD_ALARMS, 1);
  }

  /** Raises the alarm, and wakes all ranks. */
  ringAll(): void {
    this.raiseAlarm();
    for (let rank = 0; rank < this.size; rank++) this.ring(rank);
  }
}
