/**
 * A world over MessagePorts, one between each two ranks, that can only be awaited. It shows how
 * little a carrier is, and that nothing but `done` is needed. test/harness/world.ts makes the ports.
 */

import type { MessagePort } from 'node:worker_threads';
import type { Transport, World } from 'syncbn';
import type * as FramesModule from '../../dist/group/rounds/frames.js';
import type { Rounds } from '../../dist/group/rounds/rounds.js';
import type * as SizesModule from '../../dist/group/rounds/sizes.js';
import type * as TransportModule from '../../dist/group/rounds/transport.js';
import type * as WaitingModule from '../../dist/group/rounds/waiting.js';

// From build/test/ranks, where this runs.
const load = async <T>(name: string): Promise<T> =>
  import(new URL(`../../../dist/group/rounds/${name}.js`, import.meta.url).href);
const { Frames } = await load<typeof FramesModule>('frames');
const { HEADER_BYTES } = await load<typeof SizesModule>('sizes');
const { RoundsTransport } = await load<typeof TransportModule>('transport');
const { Waiting } = await load<typeof WaitingModule>('waiting');

/** Bytes of payload in a message. */
const CAPACITY = 1 << 16;

type Message = { readonly group: string; readonly frame: Uint8Array };

class PortRounds implements Rounds {
  readonly frames: FramesModule.Frames;
  readonly parts = null;
  readonly fate = null;
  /** What the other members have sent, by member. */
  readonly #waiting: readonly (readonly [number, Uint8Array[]])[];
  readonly #post: (frame: Uint8Array) => void;

  constructor(
    ranks: readonly number[],
    rank: number,
    inboxOf: (rank: number) => Uint8Array[],
    post: (frame: Uint8Array) => void,
  ) {
    const [member, members] = [ranks.indexOf(rank), ranks.length];
    const bytes = new Uint8Array(members * (HEADER_BYTES + CAPACITY));
    const memory = { bytes, words: new Int32Array(bytes.buffer), reduce: null };
    const stride = HEADER_BYTES + CAPACITY;
    this.frames = new Frames(memory, { member, members, capacity: CAPACITY, slots: 1, stride });
    this.#waiting = ranks.flatMap((r, m) => (r === rank ? [] : [[m, inboxOf(r)] as const]));
    this.#post = post;
  }

  send(bytes: number): void {
    this.#post(this.frames.slot(this.frames.member, HEADER_BYTES + bytes).slice());
  }

  arrived(): boolean {
    if (this.missing().length > 0) return false;
    for (const [member, [frame]] of this.#waiting) {
      this.frames.slot(member, frame.length).set(frame);
    }
    for (const [, frames] of this.#waiting) frames.shift();
    return true;
  }

  missing(): number[] {
    return this.#waiting.filter(([, frames]) => frames.length === 0).map(([member]) => member);
  }

  close(): void {}
}

/** The world of `rank`, which reaches rank r by `ports[r]`; its own entry is null. */
export function portWorld(rank: number, ports: readonly (MessagePort | null)[]): World {
  /** Frames that have come and were not taken, by group and sender. */
  const inbox = new Map<string, Uint8Array[]>();
  const inboxOf = (group: string, from: number) => {
    const key = `${from} ${group}`;
    const frames = inbox.get(key) ?? [];
    inbox.set(key, frames);
    return frames;
  };
  /** How often each group was made: its messages are not for the next of its name. */
  const made = new Map<string, number>();
  let wake = () => {};
  const waiting = new Waiting({
    ...{ mayBlock: false, looks: 0, looksBetween: 0, arm() {}, block() {}, disarm() {} },
    pause: (_, left) =>
      new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left + 1, 1000));
        const before = wake;
        wake = () => {
          clearTimeout(timer);
          before();
          resolve();
        };
      }),
  });
  ports.forEach((port, from) => {
    port?.on('message', ({ group, frame }: Message) => {
      inboxOf(group, from).push(frame);
      waiting.advance();
      const ring = wake;
      wake = () => {};
      ring();
    });
  });
  const connect = (name: string, ranks: readonly number[]): Transport => {
    const count = (made.get(`${ranks} ${name}`) ?? 0) + 1;
    made.set(`${ranks} ${name}`, count);
    const group = `${count} ${ranks} ${name}`;
    const post = (frame: Uint8Array) => {
      for (const other of ranks) ports[other]?.postMessage({ group, frame } satisfies Message);
    };
    const rounds = new PortRounds(ranks, rank, (other) => inboxOf(group, other), post);
    return new RoundsTransport({ name, ranks, rank, rounds, waiting, mostBlocks: 1 });
  };
  const release = () => {
    for (const port of ports) port?.close();
  };
  const place = { rank, size: ports.length, hostRanks: ports.map((_, other) => other) };
  return { kind: 'ports', mayBlock: false, ...place, timeout: 20, connect, release };
}
