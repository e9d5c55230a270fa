/**
 * The members' views of one another's memory, for one group of threads on Node. A member shows its
 * buffers by messages; a thread that blocks can take these out of its queue.
 */

import { builtin } from '../../core/platform.js';
import { bufferOf } from '../../core/typed-arrays.js';
import type { ArrayList, CopiedArray, ListedArray } from '../transport.js';
import { type Constructor, kindOf } from './kinds.js';
import type { Exchange } from './rounds.js';
import type { SharedRounds } from './shared-rounds.js';

type Threads = typeof import('node:worker_threads');

/** Most buffers of a call. The kernels' memory is one buffer for each time that it has grown. */
const MOST_BUFFERS = 64;
/** Bytes of the channel's name, which no other program guesses. */
const NAME_BYTES = 16;
/** Numbers of a frame for each array: buffer and byte of its source, and of its result. */
const PLACE = 4;

/** Arrays of one member, which every member of the group can read. */
export interface Seen {
  readonly sources: readonly CopiedArray[];
  readonly results: readonly CopiedArray[];
}

/** A message: one buffer of a member, by the number that it has in frames. */
interface Shown {
  readonly key: string;
  readonly buffer: SharedArrayBuffer;
}

/** True on Node, whose threads can show one another memory while they block. */
export function threadsSeeMemory(): boolean {
  const { versions } = (globalThis as { process?: NodeJS.Process }).process ?? {};
  // Deno and Bun have calls of these names.
  if (versions === undefined || 'deno' in versions || 'bun' in versions) return false;
  return builtin<Threads>('node:worker_threads')?.receiveMessageOnPort !== undefined;
}

const keyOf = (member: number, id: number) => `${member} ${id}`;

export class Neighbours {
  readonly #rounds: SharedRounds;
  readonly #threads = builtin<Threads>('node:worker_threads') as Threads;
  #channel: InstanceType<Threads['BroadcastChannel']> | null = null;
  /** Numbers of the buffers of this member that the others have. */
  #shown = new Map<unknown, number>();
  #shows = 0;
  /** Buffers of the other members. */
  #seen = new Map<string, SharedArrayBuffer>();

  constructor(rounds: SharedRounds) {
    this.#rounds = rounds;
  }

  /** The arrays of all members; null on every member if one of them cannot see all. */
  *arraysOf(exchange: Exchange, list: ArrayList): Generator<void, readonly Seen[] | null> {
    const { frames } = this.#rounds;
    const width = 1 + PLACE * list.sources.length;
    if (8 * width > frames.capacity) return null;
    if (this.#channel === null) yield* this.#open(exchange);
    const { input } = exchange.call;
    const tables = yield* this.#gather(exchange, width, (own) => {
      if (!areShared(list, input)) return false;
      return this.#describe(list, own);
    });
    if (tables === null) return null;
    this.#receive();
    const kept = new Map<string, SharedArrayBuffer>();
    const arrays = tables.map((table, m) =>
      m === frames.member ? ownArrays(list) : this.#arraysAt(m, table, list, kindOf(input), kept),
    );
    const seesAll = !arrays.includes(null);
    // Members show again what was not in the latest call: buffers may be given back.
    if (seesAll) this.#seen = kept;
    const all = yield* this.#gather(exchange, 1, () => seesAll);
    return all && (arrays as Seen[]);
  }

  close(): void {
    this.#channel?.close();
  }

  /** The members agree on a name, and listen. */
  *#open(exchange: Exchange): Generator<void> {
    const { frames } = this.#rounds;
    yield* exchange.round(() => {
      const name = crypto.getRandomValues(new Uint8Array(NAME_BYTES));
      frames.ownPayload(NAME_BYTES).set(name);
      this.#rounds.send();
    });
    const channel = new this.#threads.BroadcastChannel(`syncbn ${frames.payload(0, NAME_BYTES)}`);
    // Between calls messages come as events.
    channel.onmessage = (event) => this.#take((event as { data: Shown }).data);
    channel.unref();
    this.#channel = channel;
    // A message reaches only those that listen.
    yield* exchange.round(() => this.#rounds.send());
  }

  /**
   * Gathers `width` numbers of each member, written by `write`.
   * @returns views of them, valid until the next round; null if some `write` has returned false
   */
  *#gather(
    exchange: Exchange,
    width: number,
    write: (own: Float64Array) => boolean,
  ): Generator<void, readonly Float64Array[] | null> {
    const { frames } = this.#rounds;
    const like = new Float64Array();
    yield* exchange.round(() => {
      const own = frames.ownArray(like, width) as Float64Array;
      own[0] = write(own) ? 1 : 0;
      this.#rounds.send();
    });
    const all = frames.contributions(like).views as readonly Float64Array[];
    return all.every(([isGood]) => isGood === 1) ? all : null;
  }

  /** Writes the places of the arrays, and shows the members their buffers. */
  #describe({ sources, results }: ArrayList, own: Float64Array): boolean {
    const buffers = new Map<unknown, number>();
    const write = ({ data }: ListedArray, at: number) => {
      const array = data as CopiedArray;
      const buffer = bufferOf(array) as SharedArrayBuffer;
      const id = buffers.get(buffer) ?? this.#shown.get(buffer) ?? this.#show(buffer);
      buffers.set(buffer, id);
      own[at] = id;
      own[at + 1] = array.byteOffset;
    };
    sources.forEach((source, i) => {
      write(source, 1 + PLACE * i);
      write(results[i], 3 + PLACE * i);
    });
    this.#shown = buffers;
    return buffers.size <= MOST_BUFFERS;
  }

  #show(buffer: SharedArrayBuffer): number {
    const id = this.#shows++;
    const shown: Shown = { key: keyOf(this.#rounds.frames.member, id), buffer };
    this.#channel?.postMessage(shown);
    return id;
  }

  #receive(): void {
    const { receiveMessageOnPort } = this.#threads;
    const channel = this.#channel as unknown as import('node:worker_threads').MessagePort;
    for (;;) {
      const got = receiveMessageOnPort(channel);
      if (got === undefined) return;
      this.#take(got.message);
    }
  }

  #take({ key, buffer }: Shown): void {
    this.#seen.set(key, buffer);
  }

  /**
   * Views the arrays in the `table` of `member`; null if a buffer has not come.
   * @param kept receives the buffers
   */
  #arraysAt(
    member: number,
    table: Float64Array,
    { sources }: ArrayList,
    kind: Constructor,
    kept: Map<string, SharedArrayBuffer>,
  ): Seen | null {
    const views = (first: number): CopiedArray[] =>
      sources.map(({ length }, i) => {
        const at = first + PLACE * i;
        const key = keyOf(member, table[at]);
        const buffer = kept.get(key) ?? this.#seen.get(key);
        if (buffer === undefined) throw new Error(`no buffer ${key}`);
        kept.set(key, buffer);
        return new kind(buffer, table[at + 1], length);
      });
    try {
      return { sources: views(1), results: views(3) };
    } catch {
      return null;
    }
  }
}

/** True if all arrays are of the kind of `like` and lie in memory that threads may share. */
function areShared({ sources, results }: ArrayList, like: CopiedArray): boolean {
  const isShared = ({ data }: ListedArray) =>
    data !== null &&
    data.constructor === like.constructor &&
    bufferOf(data) instanceof SharedArrayBuffer;
  const isApart = (source: ArrayBufferView, result: ArrayBufferView) =>
    source === result ||
    bufferOf(source) !== bufferOf(result) ||
    source.byteOffset >= result.byteOffset + result.byteLength ||
    result.byteOffset >= source.byteOffset + source.byteLength;
  return sources.every(
    (source, i) =>
      isShared(source) &&
      isShared(results[i]) &&
      isApart(source.data as ArrayBufferView, results[i].data as ArrayBufferView),
  );
}

function ownArrays({ sources, results }: ArrayList): Seen {
  const arrays = (list: readonly ListedArray[]) => list.map(({ data }) => data as CopiedArray);
  return { sources: arrays(sources), results: arrays(results) };
}
