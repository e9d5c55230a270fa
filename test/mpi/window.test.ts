/** Memory that processes share, and the frames in it; here both sides are this process. */

import { closeSync, openSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import type { NativeFrameMemory } from '../../src/group/mpi/frame-memory.js';
import { loadKoffi } from '../../src/group/mpi/library/koffi.js';
import { makeWindow, openWindow, type WindowFile } from '../../src/group/mpi/window.js';
import { opCode } from '../../src/group/reducer.js';
import { SharedRounds } from '../../src/group/rounds/shared-rounds.js';
import { sharedBytes } from '../../src/group/rounds/sizes.js';

const koffi = await loadKoffi();
const SIZE = 200_000;
const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
});

function make(size = SIZE): WindowFile {
  const file = makeWindow(koffi, size);
  open.push(() => file.memory.free(), file.close);
  return file;
}

function other(file: WindowFile, size = SIZE): NativeFrameMemory {
  const memory = openWindow(koffi, file.ticket, size);
  open.push(() => memory.free());
  return memory;
}

const mapped = () => readFileSync('/proc/self/maps', 'utf8').includes('/memfd:syncbn');

describe('a window', () => {
  test('shows both sides what either writes, and adds up what both wrote', () => {
    const file = make();
    const [one, two] = [file.memory, other(file)];
    const at = (memory: NativeFrameMemory, byte: number) =>
      new Float64Array(memory.bytes.buffer, byte, 3);
    at(one, 0).set([1, 2, 3]);
    at(two, 64).set([10, 20, 30]);
    one.reduce?.float64(128, 0, 64, 2, 24, opCode('sum'));
    expect([...at(two, 128)]).toEqual([11, 22, 33]);
    two.words[SIZE / 4 - 1] = 7;
    expect(one.words[SIZE / 4 - 1]).toBe(7);
  });

  test('outlives the descriptor and the other side, and leaves nothing', () => {
    const file = makeWindow(koffi, SIZE);
    const two = openWindow(koffi, file.ticket, SIZE);
    file.close();
    two.words[100] = 5;
    two.free();
    expect(file.memory.words[100]).toBe(5);
    expect(mapped()).toBe(true);
    file.memory.free();
    expect(mapped()).toBe(false);
    // The engine has plain memory there again.
    expect(file.memory.words[100]).toBe(0);
  });

  test('with another token, or of another size, is refused', () => {
    const { ticket } = make();
    const forged = ticket.slice();
    forged[5] ^= 1;
    expect(() => openWindow(koffi, forged, SIZE)).toThrow('is another');
    expect(() => openWindow(koffi, ticket, 2 * SIZE)).toThrow('is another');
  });

  test('is not looked for in other files, nor in processes that there are not', () => {
    const descriptor = openSync(devNull, 'r+');
    open.push(() => closeSync(descriptor));
    const ticket = Int32Array.of(process.pid, descriptor, 0, 0, 0, 0);
    expect(() => openWindow(koffi, ticket, SIZE)).toThrow('is another');
    expect(() => openWindow(koffi, new Int32Array(6), SIZE)).toThrow('ENOENT');
  });
});

describe('frames in a window', () => {
  const CAPACITY = 1024;

  const KIND = new Float64Array(0);

  function pair(): [SharedRounds, SharedRounds] {
    const bytes = sharedBytes(2, CAPACITY);
    const file = make(bytes);
    const memories = [file.memory, other(file, bytes)];
    const [one, two] = memories.map((memory, member) => {
      return new SharedRounds(memory, { member, members: 2, capacity: CAPACITY }, () => {});
    });
    return [one, two];
  }

  function send(rounds: SharedRounds, value: number): void {
    const { frames } = rounds;
    frames.words[frames.ownHeaderWord] = value;
    frames.ownArray(KIND, 3).fill(value);
    rounds.send();
  }

  /** The first number that each member sent, as a member sees it. */
  const firsts = ({ frames }: SharedRounds) =>
    frames.contributions(KIND).views.map((view) => view[0]);

  test('have arrived when all members have sent theirs, round after round', () => {
    const [one, two] = pair();
    for (let round = 1; round <= 5; round++) {
      send(one, round);
      expect(one.arrived()).toBe(false);
      expect(one.missing()).toEqual([1]);
      send(two, 10 * round);
      for (const rounds of [one, two]) {
        expect(rounds.arrived()).toBe(true);
        expect(rounds.missing()).toEqual([]);
        expect(firsts(rounds)).toEqual([round, 10 * round]);
        expect(rounds.frames.words[rounds.frames.headerWord(1)]).toBe(10 * round);
      }
    }
  });

  test('stay as they are while a member that is ahead sends the next', () => {
    const [one, two] = pair();
    send(one, 1);
    send(two, 2);
    expect([one.arrived(), two.arrived()]).toEqual([true, true]);
    // The first has read the round, and combined it where the second can see the memory.
    const sum = new Float64Array(100);
    one.frames.contributions(KIND).combine(sum, 'sum', 100);
    expect([...sum.subarray(0, 3)]).toEqual([3, 3, 3]);
    send(one, 3);
    expect(one.arrived()).toBe(false);
    expect(firsts(two)).toEqual([1, 2]);
    send(two, 4);
    expect([one.arrived(), two.arrived()]).toEqual([true, true]);
    expect(firsts(two)).toEqual([3, 4]);
  });
});
