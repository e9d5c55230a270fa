/**
 * Which rounds a group gets: in memory that its members share, if all of them are on one host and
 * can; messages of MPI everywhere else. Nothing but time depends on it.
 */

import type { Rounds } from '../rounds/rounds.js';
import { SharedRounds } from '../rounds/shared-rounds.js';
import { type CapacityLimits, capacityFor, sharedBytes } from '../rounds/sizes.js';
import { RoundsTransport } from '../rounds/transport.js';
import type { Waiting } from '../rounds/waiting.js';
import type { Collective, CollectiveArray } from '../transport.js';
import type { NativeFrameMemory } from './frame-memory.js';
import type { GateOptions } from './gate.js';
import type { Mpi } from './library/library.js';
import { MessageRounds } from './messages/message-rounds.js';
import { NativeAdder } from './native-adder.js';
import { makeWindow, openWindow, TICKET_WORDS } from './window.js';

const IN_MESSAGES: CapacityLimits = { most: 1 << 16, least: 1 << 14, all: 1 << 20 };
/**
 * Memory that nobody has touched costs nothing. Measured, two ranks: sums of 64 KiB and more take
 * half the time in a window that they take in chunks of messages, up to all that it holds.
 */
const IN_WINDOW: CapacityLimits = { most: 1 << 20, least: 1 << 14, all: 1 << 23 };
/** Bytes of payload in frames that only carry a ticket. */
const NOTE_BYTES = 1024;

/** A group whose members have met. */
export interface Members extends GateOptions {
  /** Communicator of the members. */
  readonly comm: number;
  /** Whether they all are on this rank's host; all members know the same. */
  readonly onOneHost: boolean;
}

/** Rounds for a group; fewer bytes in each frame of larger groups. Every member calls it. */
export function chooseRounds(mpi: Mpi, waiting: Waiting, group: Members): Rounds {
  const { comm, ranks, rank, onOneHost } = group;
  const [member, members] = [ranks.indexOf(rank), ranks.length];
  const capacity = capacityFor(IN_WINDOW, members);
  const bytes = sharedBytes(members, capacity);
  const memory = onOneHost ? shareMemory(mpi, waiting, group, bytes) : null;
  if (memory === null) {
    return new MessageRounds(mpi, comm, member, members, capacityFor(IN_MESSAGES, members));
  }
  const options = { member, members, capacity, adder: new NativeAdder(mpi, memory) };
  return new SharedRounds(memory, options, () => memory.free());
}

/**
 * Memory that all members see; null on all of them if one cannot.
 * @throws DeadlineError when a member does not come
 */
function shareMemory(
  mpi: Mpi,
  waiting: Waiting,
  group: Members,
  bytes: number,
): NativeFrameMemory | null {
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
    notes.dismiss();
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

/** Collectives of the members before the group has rounds of its own. */
function notesOf(
  mpi: Mpi,
  waiting: Waiting,
  { name, ranks, rank, comm }: Members,
): RoundsTransport {
  const rounds = new MessageRounds(mpi, comm, ranks.indexOf(rank), ranks.length, NOTE_BYTES);
  return new RoundsTransport({ name, ranks, rounds, waiting, mostBlocks: 1 });
}

function noteOf(
  kind: 'broadcast' | 'allReduce',
  data: CollectiveArray,
  seconds: number,
): Collective {
  const common = { root: 0, label: 'createGroup', timeout: 1000 * seconds };
  return {
    kind,
    op: kind === 'allReduce' ? 'min' : 'sum',
    input: data,
    output: data,
    ...common,
    message: '',
    gathered: null,
  };
}
