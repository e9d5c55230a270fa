import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type Awaited, type Rest, Waiting } from '../../src/group/rounds/waiting.js';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** Something awaited that has not come. */
const pending = () => ({
  ...{ settled: false, steps: 0, timeout: 1000 },
  check: () => {},
  block: () => {},
  expect: () => {},
});

it('tells a rest how long nothing has moved, and how long is left since the wait began', () => {
  const rests: [number, number][] = [];
  const awaited = pending();
  const rest: Rest = {
    ...{ mayBlock: true, looks: 1, looksBetween: 0 },
    arm: () => {},
    disarm: () => {},
    pause: async () => {},
    block(waited, left) {
      rests.push([waited, left]);
      vi.advanceTimersByTime(30);
    },
  };
  // A frame comes with every third rest; the third is the last.
  const advance = () => {
    if (rests.length < 3 * (awaited.steps + 1)) return;
    awaited.steps++;
    awaited.settled = awaited.steps === 3;
  };
  const waiting = new Waiting(rest);
  const progress = { advance };
  waiting.add(progress);
  waiting.block(progress, awaited satisfies Awaited);
  const since = [0, 30, 60];
  expect(rests).toEqual([...since, ...since, ...since].map((waited, i) => [waited, 1000 - 30 * i]));
});

it('marks that a rank awaits something until it awaits nothing', async () => {
  const marks: string[] = [];
  const wake: (() => void)[] = [];
  const waiting = new Waiting({
    ...{ mayBlock: true, looks: 1, looksBetween: 0 },
    arm: () => {},
    disarm: () => {},
    block: () => {},
    pause: () => new Promise((resolve) => wake.push(resolve)),
  });
  const awaitedAs = (name: string) => ({
    ...pending(),
    expect: (isAwaited: boolean) => marks.push(isAwaited ? name : 'nothing'),
  });
  const [first, second] = [awaitedAs('first'), awaitedAs('second')];
  const ends = [first, second].map((awaited) => waiting.settle(awaited));
  second.settled = true;
  wake[1]();
  await ends[1];
  expect(marks).toEqual(['first', 'second', 'first']);
  first.settled = true;
  wake[0]();
  await ends[0];
  expect(marks).toEqual(['first', 'second', 'first', 'nothing']);
});
