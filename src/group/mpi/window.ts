/**
 * Memory that processes of one host share: an anonymous file of Linux, whose pages take the place
 * of the pages of a WebAssembly memory in each process. So plain loads see what other processes
 * write, Atomics find it, and WebAssembly adds it up in place.
 *
 * The file never has a name, so no end of a process leaves it behind; other processes open it
 * through its maker's descriptor. MPI's own shared windows are freed by all members at once, but
 * here each rank destroys its groups for itself.
 */

import { builtin } from '../../core/platform.js';
import { inWebAssembly, type NativeFrameMemory } from './frame-memory.js';
import type { Koffi } from './library/koffi.js';

/** Its name in /proc: not a name in the file system, and shared by all windows. */
const NAME = 'syncbn';
const MFD_CLOEXEC = 1;
const PROT_READ_WRITE = 3;
const MAP_SHARED_FIXED = 0x11;
const MAP_PRIVATE_FIXED_ANONYMOUS = 0x32;
/** Bytes of a page of WebAssembly's memory; a multiple of every system's pages. */
const PAGE_BYTES = 65536;
/** Numbers of the ticket that identify the file. */
const TOKEN_WORDS = 4;

type Fs = typeof import('node:fs');

/** A file that other processes may open. */
export interface WindowFile {
  /** The way for other processes to find it: process, descriptor, and a token at its start. */
  readonly ticket: Int32Array;
  /** Its memory in this process. */
  readonly memory: NativeFrameMemory;
  /** Closes the descriptor; the memory stays. */
  close(): void;
}

/** Length of every ticket. */
export const TICKET_WORDS = 2 + TOKEN_WORDS;

/** Makes a file of `size` bytes or a little more. @throws Error if the system refuses */
export function makeWindow(koffi: Koffi, size: number): WindowFile {
  const fs = fileSystem();
  const create = koffi.load(null).func('memfd_create', 'int', ['str', 'uint32']) as unknown as (
    name: string,
    flags: number,
  ) => number;
  const descriptor = create(NAME, MFD_CLOEXEC);
  if (descriptor < 0) throw new Error('memfd_create failed');
  try {
    const token = crypto.getRandomValues(new Int32Array(TOKEN_WORDS));
    fs.ftruncateSync(descriptor, roundUp(size));
    fs.writeSync(descriptor, token, 0, token.byteLength, 0);
    const memory = mapped(koffi, descriptor, size);
    const ticket = Int32Array.of(process.pid, descriptor, ...token);
    return { ticket, memory, close: () => fs.closeSync(descriptor) };
  } catch (error) {
    fs.closeSync(descriptor);
    throw error;
  }
}

/** Opens the file of `ticket`. @throws Error if it cannot be opened, or is another file */
export function openWindow(koffi: Koffi, ticket: Int32Array, size: number): NativeFrameMemory {
  const fs = fileSystem();
  const path = `/proc/${ticket[0]}/fd/${ticket[1]}`;
  // Another system's processes have these numbers, too: only such a file may be opened.
  if (!fs.readlinkSync(path).startsWith(`/memfd:${NAME} `)) throw new Error(`${path} is another`);
  const descriptor = fs.openSync(path, 'r+');
  try {
    const token = new Int32Array(TOKEN_WORDS);
    fs.readSync(descriptor, token, 0, token.byteLength, 0);
    const isSame = token.every((word, i) => word === ticket[2 + i]);
    if (!isSame || fs.fstatSync(descriptor).size !== roundUp(size)) {
      throw new Error(`${path} is another`);
    }
    return mapped(koffi, descriptor, size);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** WebAssembly memory whose pages are the file's, from its start. */
function mapped(koffi: Koffi, descriptor: number, size: number): NativeFrameMemory {
  const mmap = koffi.load(null).func('mmap', 'int64', Array(6).fill('int64'));
  const memory = inWebAssembly(koffi, size);
  const { address } = memory;
  const length = roundUp(size);
  const lay = (flags: number, from: number) => {
    if (mmap(address, length, PROT_READ_WRITE, flags, from, 0) !== address) {
      throw new Error('mmap failed');
    }
  };
  lay(MAP_SHARED_FIXED, descriptor);
  const free = () => {
    // The engine gets back what it gave: pages of this process alone.
    lay(MAP_PRIVATE_FIXED_ANONYMOUS, -1);
    memory.free();
  };
  return { ...memory, free };
}

function roundUp(size: number): number {
  return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
}

function fileSystem(): Fs {
  const fs = builtin<Fs>('node:fs');
  if (fs === null || process.platform !== 'linux') throw new Error('no windows on this system');
  return fs;
}
