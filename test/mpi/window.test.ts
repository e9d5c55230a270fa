/** Memory that processes share, and the frames in it; here both sides are this process. */

import { closeSync, openSync, readFileSync } from 'node:fs';
import { devNull } from 'node:os';
import { afterEach, describe, expect, test } from 'vitest';
import type { FrameMemory } from '../../src/group/mpi/frame-memory.js';
import { loadKoffi } from '../../src/group/mpi/library/koffi.js';
import { makeWindow, openWindow, type WindowFile } from '../../src/group/mpi/window.js';
import { WindowFrames, windowBytes } from '../../src/group/rounds/shared-rounds.js';

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

function other(file: WindowFile, size = SIZE): FrameMemory {
  const memory = openWindow(koffi, file.ticket, size);
  open.push(() => memory.free());
  return memory;
}

const mapped = () => readFileSync('/proc/self/maps', 'utf8').includes('/memfd:syncbn');

describe('a window', () => {
  test('shows both sides what either writes, and adds up what both wrote', () => {
    const file = make();
    const [one, two] = [file.memory, other(file)];
    const at = (memory: FrameMemory, byte: number) =>
      new Float64Array(memory.bytes.buffer, byte, 3);
    at(one, 0).set([1, 2, 3]);
    at(two, 64).set([10, 20, 30]);
    one.reduce?.(at(one, 128), [at(one, 0), at(one, 64)], 'sum', 0, 3);
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

  function pair(): [WindowFrames, WindowFrames] {
    const bytes = windowBytes(2, CAPACITY);
    const file = make(bytes);
    const memories = [file.memory, other(file, bytes)];
    const [one, two] = memories.map((memory, m) => new WindowFrames(memory, m, 2, CAPACITY));
    return [one, two];
  }

  function give(frames: WindowFrames, value: number): void {
    frames.words[frames.ownHeaderWord] = value;
    frames.ownPayload(new Float64Array(0)).fill(value, 0, 3);
    frames.sendToAll();
  }

  test('have arrived when all have given theirs, round after round', () => {
    const [one, two] = pair();
    for (let round = 1; round <= 5; round++) {
      give(one, round);
      expect(one.arrived()).toBe(false);
      expect(one.missing()).toEqual([1]);
      give(two, 10 * round);
      for (const frames of [one, two]) {
        expect(frames.arrived()).toBe(true);
        expect(frames.missing()).toEqual([]);
        const values = frames.payloads(new Float64Array(0)).map(([first]) => first);
        expect(values).toEqual([round, 10 * round]);
        expect(frames.words[frames.headerWord(1)]).toBe(10 * round);
      }
    }
  });

  test('stay as they are while a member that is ahead gives the next', () => {
    const [one, two] = pair();
    give(one, 1);
    give(two, 2);
    expect([one.arrived(), two.arrived()]).toEqual([true, true]);
    // The first has read the round, and combined it where the second can see the memory.
    const blocks = one.blocks(new Float64Array(0));
    blocks.reduce?.(blocks.room(3), blocks.views, 'sum', 0, 3);
    expect([...blocks.room(3)]).toEqual([3, 3, 3]);
    give(one, 3);
    expect(one.arrived()).toBe(false);
    expect(two.payloads(new Float64Array(0)).map(([first]) => first)).toEqual([1, 2]);
    give(two, 4);
    expect([one.arrived(), two.arrived()]).toEqual([true, true]);
    expect(two.payloads(new Float64Array(0)).map(([first]) => first)).toEqual([3, 4]);
  });
});
