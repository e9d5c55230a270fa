/**
 * Which frames a group gets: in memory that its members share, where all of them are on one host
 * and can; messages of MPI everywhere else. Nothing but time depends on it.
 */

import type { Frames } from '../rounds/rounds.js';
import { WindowFrames, windowBytes } from '../rounds/shared-rounds.js';
import { MpiTransport } from '../rounds/transport.js';
import type { Waiting } from '../rounds/waiting.js';
import type { Collective, CollectiveArray } from '../transport.js';
import type { FrameMemory } from './frame-memory.js';
import type { GateOptions } from './gate.js';
import type { Mpi } from './library/library.js';
import { MessageFrames } from './messages/message-rounds.js';
import { makeWindow, openWindow, TICKET_WORDS } from './window.js';

/** Bytes of payload in a frame: the most, the least, and what all frames of a group may take. */
interface Room {
  readonly most: number;
  readonly least: number;
  readonly all: number;
}

const IN_MESSAGES: Room = { most: 1 << 16, least: 1 << 14, all: 1 << 20 };
/**
 * Memory that nobody has touched costs nothing. Measured, two ranks: sums of 64 KiB and more take
 * half the time in a window that they take in chunks of messages, up to all that it holds.
 */
const IN_WINDOW: Room = { most: 1 << 20, least: 1 << 14, all: 1 << 23 };
/** Bytes of payload in frames that only carry a ticket. */
const NOTE_BYTES = 1024;

/** A group whose members have met. */
export interface Members extends GateOptions {
  /** Communicator of the members. */
  readonly comm: number;
  /** Whether they all are on this rank's host; all members know the same. */
  readonly onOneHost: boolean;
}

/** Frames for a group; fewer bytes each in larger groups. Every member calls it. */
export function framesFor(mpi: Mpi, waiting: Waiting, group: Members): Frames {
  const { comm, ranks, rank, onOneHost } = group;
  const [member, members] = [ranks.indexOf(rank), ranks.length];
  const shared = capacityIn(IN_WINDOW, members);
  const bytes = windowBytes(members, shared);
  const memory = onOneHost ? shareMemory(mpi, waiting, group, bytes) : null;
  if (memory !== null) return new WindowFrames(memory, member, members, shared);
  return new MessageFrames(mpi, comm, member, members, capacityIn(IN_MESSAGES, members));
}

function capacityIn({ most, least, all }: Room, members: number): number {
  const share = Math.floor(all / members / 64) * 64;
  return Math.min(most, Math.max(least, share));
}

/**
 * Memory that all members see; null on all of them where one cannot.
 * @throws DeadlineError when a member does not come
 */
function shareMemory(
  mpi: Mpi,
  waiting: Waiting,
  group: Members,
  bytes: number,
): FrameMemory | null {
  const { koffi } = mpi;
  const { rank, ranks, timeout } = group;
  const notes = notesOf(mpi, waiting, group);
  const file = rank === ranks[0] ? attempt(() => makeWindow(koffi, bytes)) : null;
  try {
    const ticket = file?.ticket ?? new Int32Array(TICKET_WORDS);
    notes.start(noteOf('broadcast', ticket, timeout)).wait();
    const memory = file?.memory ?? attempt(() => openWindow(koffi, ticket, bytes));
    const sharing = Int32Array.of(memory === null ? 0 : 1);
    notes.start(noteOf('allReduce', sharing, timeout)).wait();
    if (sharing[0] === 1) return memory;
    memory?.free();
    return null;
  } finally {
    file?.close();
    notes.close();
  }
}

/** Null for whatever reason: old systems and guarded containers have many, and messages always go. */
function attempt<T>(share: () => T): T | null {
  if (process.env.SYNCBN_MPI_FRAMES === 'messages') return null;
  try {
    return share();
  } catch {
    return null;
  }
}

/** Collectives of the members before the group has frames of its own. */
function notesOf(mpi: Mpi, waiting: Waiting, { name, ranks, rank, comm }: Members): MpiTransport {
  const frames = new MessageFrames(mpi, comm, ranks.indexOf(rank), ranks.length, NOTE_BYTES);
  const group = { name, ranks, comm, frames, onFailure: () => {}, onClose: () => {} };
  return new MpiTransport(mpi, group, waiting);
}

function noteOf(
  kind: 'broadcast' | 'allReduce',
  data: CollectiveArray,
  seconds: number,
): Collective {
  const common = { root: 0, label: 'createGroup', timeout: 1000 * seconds, message: '' };
  return { kind, op: kind === 'allReduce' ? 'min' : 'sum', input: data, output: data, ...common };
}
