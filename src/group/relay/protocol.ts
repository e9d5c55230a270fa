/**
 * Messages between a rank and the hub. Each is one message of a link:
 *
 *     magic | kind | group | member | body
 *
 * The four words are Int32. The group is the number that the rank has given it; the member is the
 * sender of a frame. Bodies are JSON, text, or a frame as `rounds/frames.ts` lays it out.
 */

import { capacityFor, HEADER_BYTES } from '../rounds/sizes.js';

/** 'sbr1': tells a message of this version from anything else. */
const MAGIC = 0x73627231;
const HEAD_BYTES = 16;

export const KIND = {
  /** From a rank: JSON {@link Hello}. */
  hello: 1,
  /** From the hub: the rank has been let in. */
  welcome: 2,
  /** From the hub: text; the link is closed. */
  refused: 3,
  /** From a rank: JSON {@link Opening}. */
  open: 4,
  /** Both ways: a frame of the round that the group is in. */
  frame: 5,
  /** Both ways: the member takes no further part in the group. */
  leave: 6,
  /** Both ways: text; no collective of the group can run any more. */
  broken: 7,
  /** Both ways: the rank takes no further part in the world; the hub puts it into `member`. */
  bye: 8,
  /** Both ways: text; the rank has failed, and the world with it. */
  failed: 9,
} as const;

export interface Hello {
  readonly rank: number;
  readonly size: number;
  readonly token: string;
}

/** A group that the rank is in from now on. */
export interface Opening {
  readonly name: string;
  /** World ranks; the index is the member. */
  readonly ranks: readonly number[];
}

export interface Message {
  readonly kind: number;
  readonly group: number;
  readonly member: number;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Most bytes of a text: of errors, names and lists of ranks. */
const TEXT_BYTES = 65536;
/** Most bytes of payload in a frame. */
const FRAME_BYTES = 2 ** 20;

/** Bytes of payload in a frame of a group of `members`. */
export function frameCapacity(members: number): number {
  return capacityFor({ most: FRAME_BYTES, least: 4096, all: 2 ** 24 }, members);
}

/** Bytes of the longest message that a rank or a hub sends. */
export const LONGEST_MESSAGE = HEAD_BYTES + HEADER_BYTES + FRAME_BYTES;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encode(
  kind: number,
  group: number,
  member: number,
  body: Uint8Array | string = '',
): Uint8Array<ArrayBuffer> {
  const bytes = typeof body === 'string' ? encoder.encode(body).subarray(0, TEXT_BYTES) : body;
  const message = new Uint8Array(HEAD_BYTES + bytes.length);
  new Int32Array(message.buffer, 0, 4).set([MAGIC, kind, group, member]);
  message.set(bytes, HEAD_BYTES);
  return message;
}

/** @returns null for anything that is not a message of this version */
export function decode(data: unknown): Message | null {
  if (!(data instanceof ArrayBuffer)) return null;
  if (data.byteLength < HEAD_BYTES || data.byteLength > LONGEST_MESSAGE) return null;
  const [magic, kind, group, member] = new Int32Array(data, 0, 4);
  if (magic !== MAGIC) return null;
  return { kind, group, member, body: new Uint8Array(data, HEAD_BYTES) };
}

/** Reads the text in a body; bytes past the longest text are left out. */
export function textOf({ body }: Message): string {
  return decoder.decode(body.subarray(0, TEXT_BYTES));
}

/** Reads the object in a body, of which nothing is known; null: there is none. */
export function objectOf<T>(message: Message): Partial<Record<keyof T, unknown>> | null {
  if (message.body.length > TEXT_BYTES) return null;
  try {
    const value: unknown = JSON.parse(textOf(message));
    return typeof value === 'object' ? value : null;
  } catch {
    return null;
  }
}

export function isRank(value: unknown, size: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < size;
}
