/** Headers of frames: a member's collective, in numbers that all members compare. */

import { describeCall, encodeCall, hashLabel, isRaise, isUneven } from '../fingerprint.js';
import type { Collective } from '../transport.js';
import type { Frames } from './frames.js';

/** Words of a header; the carrier has one more of its own. */
export const SEQUENCE = 0;
const CODE = 1;
const COUNT_LOW = 2;
const COUNT_HIGH = 3;
const LABEL_HASH = 4;
/** Bytes of text in the payload: of a raise, or of a description. */
const TEXT_BYTES = 5;

export function writeHeader(
  frames: Frames,
  call: Collective,
  sequence: number,
  count: number,
): void {
  const { words } = frames;
  const at = frames.ownHeaderWord;
  words[at + SEQUENCE] = sequence;
  words[at + CODE] = encodeCall(call);
  words[at + COUNT_LOW] = count | 0;
  words[at + COUNT_HIGH] = count < 2 ** 31 ? 0 : count / 2 ** 32;
  words[at + LABEL_HASH] = call.label === '' ? 0 : hashLabel(call.label);
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Puts text into this member's payload. @returns its bytes; longer text is cut off */
export function writeText(frames: Frames, text: string): number {
  // TextEncoder.encodeInto refuses shared memory in browsers, hence the copy.
  const bytes = encoder.encode(text).subarray(0, frames.capacity);
  frames.ownPayload(bytes.length).set(bytes);
  frames.words[frames.ownHeaderWord + TEXT_BYTES] = bytes.length;
  return bytes.length;
}

export function readText(frames: Frames, member: number): string {
  const length = frames.words[frames.headerWord(member) + TEXT_BYTES];
  // TextDecoder refuses shared memory, too.
  return decoder.decode(frames.payload(member, length).slice());
}

/**
 * Finds the member whose header stands out, or -1 when all agree: the first that raises, else the
 * first that differs from member 0. All members read the same headers and find the same member.
 */
export function findOdd(frames: Frames): number {
  const { words, members } = frames;
  const first = frames.headerWord(0);
  let odd = isRaise(words[first + CODE]) ? 0 : -1;
  for (let m = 1; m < members; m++) {
    const at = frames.headerWord(m);
    // Without branches: this is on the path of every collective.
    const difference =
      (words[at + CODE] ^ words[first + CODE]) |
      (words[at + COUNT_LOW] ^ words[first + COUNT_LOW]) |
      (words[at + COUNT_HIGH] ^ words[first + COUNT_HIGH]) |
      (words[at + LABEL_HASH] ^ words[first + LABEL_HASH]) |
      (words[at + SEQUENCE] ^ words[first + SEQUENCE]);
    if (difference === 0) continue;
    if (isUneven(words[first + CODE]) && differInLengthAlone(words, at, first)) continue;
    if (odd < 0) odd = m;
    else if (isRaise(words[at + CODE]) && !isRaising(frames, odd)) odd = m;
  }
  return odd;
}

function differInLengthAlone(words: Int32Array, at: number, first: number): boolean {
  return [CODE, LABEL_HASH, SEQUENCE].every((word) => words[at + word] === words[first + word]);
}

/** Elements that each member gives. */
export function lengthsOf(frames: Frames): number[] {
  const { words, members } = frames;
  return Array.from({ length: members }, (_, m) => {
    const at = frames.headerWord(m);
    return (words[at + COUNT_LOW] >>> 0) + words[at + COUNT_HIGH] * 2 ** 32;
  });
}

export function isRaising(frames: Frames, member: number): boolean {
  return isRaise(frames.words[frames.headerWord(member) + CODE]);
}

/** "allReduce #17 of SyncBatchNorm 'bn2' with 129 float64" */
export function describe(call: Collective, sequence: number, count: number): string {
  return describeCall(encodeCall(call), count, sequence, call.label);
}
