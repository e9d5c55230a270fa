/**
 * Before a communicator is made, its members tell one another the group's name and ranks. Making
 * one has no deadline and hangs when a member is missing or has other ranks in mind; this has both.
 */

import { DeadlineError, MismatchError } from '../../core/errors.js';
import { hashLabel } from '../fingerprint.js';
import type { Waiting } from '../rounds/waiting.js';
import { check, type Mpi } from './library/library.js';
import { NativeMemory } from './library/memory.js';

/** Every notice has this length, so that no two ranks can disagree about it. */
const NOTICE_BYTES = 1024;
/** Tags below serve the world's own collectives. 32767 is the least that MPI promises. */
const FIRST_TAG = 16;
/** Tag of no message. */
export const UNUSED_TAG = FIRST_TAG - 1;

/** Tag of a group's notices, and of the making of its communicator. */
export function groupTag(name: string): number {
  return FIRST_TAG + (hashLabel(name) & 0x3fff);
}

export interface GateOptions {
  readonly name: string;
  /** World ranks of the members. */
  readonly ranks: readonly number[];
  readonly rank: number;
  /** Communicator of all ranks. */
  readonly comm: number;
  /** Seconds until the members must have come. */
  readonly timeout: number;
}

/**
 * Returns when all members want the same group.
 * @throws MismatchError when a member names other ranks, DeadlineError when one does not come
 */
export function meet(mpi: Mpi, waiting: Waiting, options: GateOptions): void {
  const peers = options.ranks.filter((rank) => rank !== options.rank);
  const memory = new NativeMemory(mpi.koffi, (peers.length + 1) * NOTICE_BYTES);
  const requests = new NativeMemory(mpi.koffi, 64 + 16 * peers.length);
  const own = memory.bytes.subarray(peers.length * NOTICE_BYTES);
  const text = `'${options.name}' of ranks ${options.ranks.join(', ')}`;
  new TextEncoder().encodeInto(text, own);
  post(mpi, options, peers, memory, requests);
  const done = () => {
    const { address, words } = requests;
    const { MPI_Testall } = mpi.call;
    const code = MPI_Testall(2 * peers.length, address + 64, address, mpi.abi.statusesIgnore);
    check(mpi, 'MPI_Testall', code);
    return words[0] !== 0;
  };
  if (!waiting.blockUntil(done, options.timeout * 1000)) {
    // The memory stays: a notice may still arrive in it.
    throw new DeadlineError(missingText(options, peers, memory));
  }
  compare(options, peers, memory, own);
  memory.free();
  requests.free();
}

function post(
  mpi: Mpi,
  { name, comm }: GateOptions,
  peers: readonly number[],
  memory: NativeMemory,
  requests: NativeMemory,
): void {
  const { abi, call } = mpi;
  const tag = groupTag(name);
  const own = memory.address + peers.length * NOTICE_BYTES;
  let request = requests.address + 64;
  peers.forEach((peer, i) => {
    const at = memory.address + i * NOTICE_BYTES;
    check(mpi, 'MPI_Irecv', call.MPI_Irecv(at, NOTICE_BYTES, abi.byte, peer, tag, comm, request));
    request += abi.handleBytes;
    check(mpi, 'MPI_Isend', call.MPI_Isend(own, NOTICE_BYTES, abi.byte, peer, tag, comm, request));
    request += abi.handleBytes;
  });
}

function notice(memory: NativeMemory, index: number): string {
  const bytes = memory.bytes.slice(index * NOTICE_BYTES, (index + 1) * NOTICE_BYTES);
  return new TextDecoder().decode(bytes).replace(/\0.*$/s, '');
}

function compare(
  { rank, ranks }: GateOptions,
  peers: readonly number[],
  memory: NativeMemory,
  own: Uint8Array,
): void {
  const all = new Map(peers.map((peer, i) => [peer, notice(memory, i)]));
  all.set(rank, new TextDecoder().decode(own.slice()).replace(/\0.*$/s, ''));
  const first = ranks[0];
  const odd = ranks.find((member) => all.get(member) !== all.get(first));
  if (odd === undefined) return;
  throw new MismatchError(
    `createGroup: ranks disagree: rank ${odd} makes group ${all.get(odd)}, rank ${first} group ${all.get(first)}`,
  );
}

function missingText(
  { name, rank, timeout }: GateOptions,
  peers: readonly number[],
  memory: NativeMemory,
): string {
  const missing = peers.filter((_, i) => memory.bytes[i * NOTICE_BYTES] === 0);
  return `createGroup: rank ${rank} waited ${timeout} s for rank ${missing.join(', ')} to make group '${name}'`;
}
