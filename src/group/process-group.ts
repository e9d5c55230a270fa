/** ProcessGroup: named ranks and their collectives. Checks arguments; a transport does the work. */

import type {
  Collective,
  CollectiveArray,
  CollectiveKind,
  ReduceOp,
  Transport,
  Work,
} from './transport.js';

/** Options that every collective takes. */
export interface CollectiveOptions {
  /** What the call belongs to; part of what ranks must agree on, and of every error. */
  label?: string;
  /** Seconds until the call fails, more than 0; Infinity: never. Default: the world's. */
  timeout?: number;
}

export interface AllReduceOptions extends CollectiveOptions {
  /** Default 'sum'. Sums run in rank order, so every rank gets the same bits. */
  op?: ReduceOp;
}

export interface BroadcastOptions extends CollectiveOptions {
  /** Group rank that sends. Default 0. */
  root?: number;
}

const NOTHING = new Int32Array(0);

export class ProcessGroup {
  readonly name: string;
  /** World ranks of the members; the index is the group rank. */
  readonly ranks: readonly number[];
  /** This rank's place in the group, or -1 where it is not a member. */
  readonly rank: number;
  readonly size: number;
  readonly #transport: Transport | null;
  readonly #timeout: number;

  /** Groups are made by `createGroup` and `init`. `transport` is null for those outside. */
  constructor(
    name: string,
    ranks: readonly number[],
    rank: number,
    transport: Transport | null,
    timeout: number,
  ) {
    this.name = name;
    this.ranks = [...ranks];
    this.rank = rank;
    this.size = ranks.length;
    this.#transport = transport;
    this.#timeout = timeout;
  }

  /**
   * Combines `data` element by element over all ranks, in place, in rank order.
   * @returns a work that yields `data`
   */
  allReduce<T extends CollectiveArray>(data: T, options: AllReduceOptions = {}): Work<T> {
    const op = options.op ?? 'sum';
    if (op !== 'sum' && op !== 'max' && op !== 'min') {
      throw new RangeError(`allReduce: op must be sum, max or min, got ${String(op)}`);
    }
    return this.#start({ kind: 'allReduce', op, input: data, output: data }, options, data);
  }

  /**
   * Lays the ranks' `data` (of one length everywhere) one behind the other, in rank order.
   * @param out `size` times as long as `data`, of its kind; allocated when not given
   * @returns a work that yields `out`
   */
  allGather<T extends CollectiveArray>(
    data: T,
    options: CollectiveOptions & { out?: T } = {},
  ): Work<T> {
    checkArray('allGather', data);
    const length = data.length * this.size;
    const out = options.out ?? (new (data.constructor as new (n: number) => T)(length) as T);
    checkArray('allGather', out);
    if (out.constructor !== data.constructor || out.length !== length) {
      throw new RangeError(
        `allGather: out must be a ${data.constructor.name} of ${length} (${this.size} ranks x ${data.length}), ` +
          `got a ${out.constructor.name} of ${out.length}`,
      );
    }
    return this.#start({ kind: 'allGather', input: data, output: out }, options, out);
  }

  /** Copies the root's `data` into every rank's `data`. @returns a work that yields `data` */
  broadcast<T extends CollectiveArray>(data: T, options: BroadcastOptions = {}): Work<T> {
    const root = options.root ?? 0;
    this.checkRoot(root, 'broadcast');
    return this.#start({ kind: 'broadcast', root, input: data, output: data }, options, data);
  }

  /** Throws RangeError unless `root` is a rank of the group. */
  checkRoot(root: number, caller: string): void {
    if (!Number.isInteger(root) || root < 0 || root >= this.size) {
      throw new RangeError(
        `${caller}: root must be a rank of group '${this.name}', 0 to ${this.size - 1}, got ${String(root)}`,
      );
    }
  }

  /** Ends when every rank has started it. */
  barrier(options: CollectiveOptions = {}): Work<void> {
    return this.#start({ kind: 'barrier', input: NOTHING, output: NOTHING }, options, undefined);
  }

  /**
   * Joins the next collective with an error instead of data: it fails on every rank with
   * `message`, so that a bad argument on one rank leaves no other waiting. Ends when all know.
   */
  raise(message: string, options: CollectiveOptions = {}): Work<void> {
    const call = { kind: 'raise', input: NOTHING, output: NOTHING, message } as const;
    return this.#start(call, options, undefined);
  }

  /** Frees the transport; used by `destroyGroup` and `release`. */
  close(): void {
    this.#transport?.close();
  }

  #start<T>(
    call: Partial<Collective> & { kind: CollectiveKind; input: CollectiveArray },
    options: CollectiveOptions,
    result: T,
  ): Work<T> {
    checkArray(call.kind, call.input);
    const seconds = options.timeout ?? this.#timeout;
    if (typeof seconds !== 'number' || !(seconds > 0)) {
      throw new RangeError(`${call.kind}: timeout must be more than 0 seconds, got ${seconds}`);
    }
    if (this.#transport === null) {
      throw new RangeError(
        `${call.kind}: this rank is not in group '${this.name}' (ranks ${this.ranks.join(', ')})`,
      );
    }
    const work = this.#transport.start({
      op: 'sum',
      root: 0,
      output: call.input,
      message: '',
      label: options.label ?? '',
      ...call,
      timeout: seconds * 1000,
    });
    return {
      wait: () => {
        work.wait();
        return result;
      },
      done: () => work.done().then(() => result),
    };
  }
}

function checkArray(kind: string, value: unknown): void {
  if (
    !(value instanceof Float64Array) &&
    !(value instanceof Float32Array) &&
    !(value instanceof Int32Array)
  ) {
    const got = (value as object | null)?.constructor?.name ?? String(value);
    throw new TypeError(`${kind}: expected a Float64Array, Float32Array or Int32Array, got ${got}`);
  }
}
