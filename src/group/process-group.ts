/** ProcessGroup: named ranks and their collectives. Checks arguments; a transport does the work. */

import { checkTimeout } from './timeout.js';
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
  /**
   * Seconds until the call fails, more than 0, counted from when this rank begins to wait for it;
   * Infinity: never. Default: the world's.
   */
  timeout?: number;
}

export interface AllReduceOptions<T extends CollectiveArray = CollectiveArray>
  extends CollectiveOptions {
  /** Where the result goes: of `data`'s kind and length. Default: `data` itself. */
  out?: T;
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
   * Combines `data` element by element over all ranks, in rank order; in place without `out`.
   * @returns a work that yields `out`
   */
  allReduce<T extends CollectiveArray>(data: T, options: AllReduceOptions<T> = {}): Work<T> {
    const op = options.op ?? 'sum';
    if (op !== 'sum' && op !== 'max' && op !== 'min') {
      throw new RangeError(`allReduce: op must be sum, max or min, got ${String(op)}`);
    }
    checkArray('allReduce', data);
    const out = options.out ?? data;
    if (out !== data) checkOut('allReduce', out, data, data.length);
    return this.#start('allReduce', data, out, out, options, op, 0, '');
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
    if (options.out !== undefined) {
      checkOut('allGather', out, data, length, `${this.size} ranks x ${data.length}`);
    }
    return this.#start('allGather', data, out, out, options, 'sum', 0, '');
  }

  /** Copies the root's `data` into every rank's `data`. @returns a work that yields `data` */
  broadcast<T extends CollectiveArray>(data: T, options: BroadcastOptions = {}): Work<T> {
    checkArray('broadcast', data);
    const root = options.root ?? 0;
    this.checkRoot(root, 'broadcast');
    return this.#start('broadcast', data, data, data, options, 'sum', root, '');
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
    return this.#start('barrier', NOTHING, NOTHING, undefined, options, 'sum', 0, '');
  }

  /**
   * Joins the next collective with an error instead of data: it fails on every rank with
   * `message`, so that a bad argument on one rank leaves no other waiting. Ends when all know.
   */
  raise(message: string, options: CollectiveOptions = {}): Work<void> {
    return this.#start('raise', NOTHING, NOTHING, undefined, options, 'sum', 0, message);
  }

  /** Pieces that one exchange may be cut into; see {@link Transport}. */
  get mostBlocks(): number {
    return this.#transport?.mostBlocks ?? 1;
  }

  /**
   * Whether collectives of the group may be waited for by blocking. Where this is false, as on a
   * browser's main thread, `wait` throws and `done` serves.
   */
  get mayBlock(): boolean {
    return this.#transport?.mayBlock ?? true;
  }

  /** Frees the transport; used by `destroyGroup` and `release`. */
  close(): void {
    this.#transport?.close();
  }

  /** Plain parameters and one object: this is on the path of every collective, however small. */
  #start<T>(
    kind: CollectiveKind,
    input: CollectiveArray,
    output: CollectiveArray,
    result: T,
    options: CollectiveOptions,
    op: ReduceOp,
    root: number,
    message: string,
  ): Work<T> {
    const seconds = options.timeout ?? this.#timeout;
    // The check itself only where it will fail: this is on the path of every collective.
    if (typeof seconds !== 'number' || !(seconds > 0)) checkTimeout(kind, seconds);
    if (this.#transport === null) {
      throw new RangeError(
        `${kind}: this rank is not in group '${this.name}' (ranks ${this.ranks.join(', ')})`,
      );
    }
    const label = options.label ?? '';
    const timeout = seconds * 1000;
    const call: Collective = { kind, op, root, input, output, label, timeout, message };
    return new ResultWork(this.#transport.start(call), result);
  }
}

/** A transport's work, with the array that it fills. */
class ResultWork<T> implements Work<T> {
  readonly #work: Work<void>;
  readonly #result: T;

  constructor(work: Work<void>, result: T) {
    this.#work = work;
    this.#result = result;
  }

  wait(): T {
    this.#work.wait();
    return this.#result;
  }

  async done(): Promise<T> {
    await this.#work.done();
    return this.#result;
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

/** Where a result of `length` elements like `data`'s goes must fit; `why` explains the length. */
function checkOut(
  kind: string,
  out: CollectiveArray,
  data: CollectiveArray,
  length: number,
  why = '',
): void {
  checkArray(kind, out);
  if (out.constructor === data.constructor && out.length === length) return;
  throw new RangeError(
    `${kind}: out must be a ${data.constructor.name} of ${length}${why && ` (${why})`}, ` +
      `got a ${out.constructor.name} of ${out.length}`,
  );
}
