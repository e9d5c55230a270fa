/** Headers of frames: what a rank is in, in numbers that ranks compare. */

import { describeCall, encodeCall, hashLabel, isRaise } from '../fingerprint.js';
import type { Collective } from '../transport.js';
import type { Frames } from './rounds.js';

/** Words of a header; the frames have another of their own. */
const SEQUENCE = 0;
const CODE = 1;
const COUNT_LOW = 2;
const COUNT_HIGH = 3;
const LABEL_HASH = 4;
/** Bytes of text in the payload: of a raise, of a departure, or of a description. */
const TEXT_BYTES = 5;
const EXIT_CODE = 6;

/** Code of a rank that leaves the world instead of taking part. */
const LEAVE = -1;

/** A rank's last call on a group: it has ended, properly or not. */
export interface Departure {
  readonly kind: 'leave';
  readonly exitCode: number;
  /** Why, when the exit code is not 0. */
  readonly message: string;
  readonly timeout: number;
}

export type FrameCall = Collective | Departure;

export function writeHeader(frames: Frames, call: FrameCall, sequence: number): void {
  const { words } = frames;
  const at = frames.ownHeaderWord;
  words[at + SEQUENCE] = sequence;
  if (call.kind === 'leave') {
    words[at + CODE] = LEAVE;
    words[at + EXIT_CODE] = call.exitCode;
    return;
  }
  const count = call.input.length;
  words[at + CODE] = encodeCall(call);
  words[at + COUNT_LOW] = count | 0;
  words[at + COUNT_HIGH] = count / 2 ** 32;
  words[at + LABEL_HASH] = call.label === '' ? 0 : hashLabel(call.label);
}

/** Puts text in this member's payload. @returns its bytes; what does not come with the header is cut off */
export function writeText(frames: Frames, text: string): number {
  const room = frames.ownBytes(frames.noteCapacity);
  const { written } = new TextEncoder().encodeInto(text, room);
  frames.words[frames.ownHeaderWord + TEXT_BYTES] = written;
  return written;
}

export function readText(frames: Frames, member: number): string {
  const length = frames.words[frames.headerWord(member) + TEXT_BYTES];
  return new TextDecoder().decode(frames.payloadBytes(member, length).slice());
}

/**
 * The member whose header stands out, or -1 when all agree: the first that raises or leaves, else
 * the first that differs from member 0. All members read the same headers and find the same.
 */
export function findOdd(frames: Frames): number {
  const { words, members } = frames;
  const first = frames.headerWord(0);
  let odd = isSpecial(words[first + CODE]) ? 0 : -1;
  for (let m = 1; m < members; m++) {
    const at = frames.headerWord(m);
    if (
      words[at + CODE] === words[first + CODE] &&
      words[at + COUNT_LOW] === words[first + COUNT_LOW] &&
      words[at + LABEL_HASH] === words[first + LABEL_HASH] &&
      words[at + SEQUENCE] === words[first + SEQUENCE] &&
      words[at + COUNT_HIGH] === words[first + COUNT_HIGH]
    ) {
      continue;
    }
    if (odd < 0) odd = m;
    else if (isSpecial(words[at + CODE]) && !isSpecial(codeOf(frames, odd))) odd = m;
  }
  return odd;
}

function codeOf(frames: Frames, member: number): number {
  return frames.words[frames.headerWord(member) + CODE];
}

function isSpecial(code: number): boolean {
  return code === LEAVE || isRaise(code);
}

export function isRaising(frames: Frames, member: number): boolean {
  return codeOf(frames, member) !== LEAVE && isRaise(codeOf(frames, member));
}

export function isLeaving(frames: Frames, member: number): boolean {
  return codeOf(frames, member) === LEAVE;
}

export function exitCodeOf(frames: Frames, member: number): number {
  return frames.words[frames.headerWord(member) + EXIT_CODE];
}

/** "allReduce #17 of SyncBatchNorm 'bn2' with 129 float64" */
export function describe(call: FrameCall, sequence: number): string {
  if (call.kind === 'leave') return 'its exit';
  return describeCall(encodeCall(call), call.input.length, sequence, call.label);
}
