/** ProcessGroup: named ranks and their collectives. Checks arguments; a transport does the work. */

import { checkType } from '../core/checks.js';
import type { FloatArray } from '../core/dtype.js';
import { show, showText } from '../core/show.js';
import { checkAttached } from '../core/typed-arrays.js';
import { COMBINED, callOf, checkArray, checkOp, checkOut } from './collective-checks.js';
import {
  type AllReduceOptions,
  type BroadcastOptions,
  type CollectiveOptions,
  checkOptions,
  NO_OPTIONS,
} from './collective-options.js';
import { kindOf } from './rounds/kinds.js';
import { checkTimeout } from './timeout.js';
import type {
  ArrayList,
  Collective,
  CollectiveArray,
  CollectiveKind,
  CopiedArray,
  ReduceOp,
  Transport,
  Weights,
  Work,
} from './transport.js';

const NOTHING = new Int32Array(0);

export class ProcessGroup {
  readonly name: string;
  /** World ranks of the members; the index is the group rank. */
  readonly ranks: readonly number[];
  /** This rank's place in the group; -1 if it is not a member. */
  readonly rank: number;
  readonly size: number;
  readonly #transport: Transport | null;
  readonly #timeout: number;

  /** Called by `createGroup` and `init`. `transport` is null for ranks outside the group. */
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
  allReduce<T extends CollectiveArray>(
    data: T,
    options: AllReduceOptions<T> = NO_OPTIONS as AllReduceOptions<T>,
  ): Work<T> {
    checkOptions('allReduce', options);
    checkArray('allReduce', data, COMBINED);
    const op = options.op ?? 'sum';
    if (op !== 'sum') checkOp(op, data);
    const out = options.out ?? data;
    if (out !== data) checkOut('allReduce', out, data, data.length);
    return this.#start('allReduce', data, out, out, options, op, 0, '');
  }

  /**
   * Concatenates the ranks' `data`, of one length everywhere, in rank order.
   * @param out `size` times as long as `data`, of its kind; allocated when not given
   * @returns a work that yields `out`
   */
  allGather<T extends CopiedArray>(
    data: T,
    options?: CollectiveOptions & { out?: T; uneven?: false },
  ): Work<T>;
  /**
   * As `allGather`, of arrays whose lengths may differ.
   * @returns a work that yields each rank's array, in rank order
   */
  allGather<T extends CopiedArray>(
    data: T,
    options: CollectiveOptions & { uneven: true },
  ): Work<T[]>;
  allGather<T extends CopiedArray>(
    data: T,
    options: CollectiveOptions & { out?: T; uneven?: boolean } = NO_OPTIONS,
  ): Work<T> | Work<T[]> {
    checkOptions('allGather', options);
    checkArray('allGather', data);
    if (options.uneven === true) return this.#gatherUneven(data, options);
    const length = data.length * this.size;
    const out = options.out ?? (new (kindOf(data))(length) as T);
    if (options.out !== undefined) {
      checkOut('allGather', out, data, length, `${this.size} ranks x ${data.length}`);
    }
    return this.#start('allGather', data, out, out, options, 'sum', 0, '');
  }

  #gatherUneven<T extends CopiedArray>(
    data: T,
    options: CollectiveOptions & { out?: T },
  ): Work<T[]> {
    if (options.out !== undefined) {
      throw new TypeError('allGather: out goes with arrays of one length, not with uneven');
    }
    const gathered: T[] = [];
    return this.#start('gatherAll', data, data, gathered, options, 'sum', 0, '', gathered);
  }

  /** Copies the root's `data` into every rank's `data`. @returns a work that yields `data` */
  broadcast<T extends CopiedArray>(data: T, options: BroadcastOptions = NO_OPTIONS): Work<T> {
    checkOptions('broadcast', options);
    checkArray('broadcast', data);
    const root = options.root ?? 0;
    this.checkRoot(root, 'broadcast');
    return this.#start('broadcast', data, data, data, options, 'sum', root, '');
  }

  /**
   * Replaces the arrays of `list` by their weighted averages over all ranks, as `averageRanks` in
   * average.ts defines them.
   * @param like of the kind of the list's elements
   */
  averageList(
    list: ArrayList,
    by: Weights,
    like: FloatArray,
    options: CollectiveOptions = NO_OPTIONS,
  ): Work<void> {
    return this.#startList('allReduce', list, by, like, options, 'mean', 0);
  }

  /** Copies the root's arrays of `list` into those of every rank. */
  broadcastList(
    list: ArrayList,
    like: FloatArray,
    options: BroadcastOptions = NO_OPTIONS,
  ): Work<void> {
    const root = options.root ?? 0;
    this.checkRoot(root, 'broadcast');
    return this.#startList('broadcast', list, null, like, options, 'sum', root);
  }

  /** Throws RangeError unless `root` is a rank of the group. */
  checkRoot(root: number, caller: string): void {
    if (!Number.isInteger(root) || root < 0 || root >= this.size) {
      throw new RangeError(
        `${caller}: root must be a rank of group '${showText(this.name)}', 0 to ${this.size - 1}, got ${show(root)}`,
      );
    }
  }

  /** Ends when every rank has started it. */
  barrier(options: CollectiveOptions = NO_OPTIONS): Work<void> {
    checkOptions('barrier', options);
    return this.#start('barrier', NOTHING, NOTHING, undefined, options, 'sum', 0, '');
  }

  /**
   * Joins the next collective with an error instead of data: it fails on every rank with `message`,
   * so that a bad argument on one rank leaves no other waiting. Ends when all ranks know.
   */
  raise(message: string, options: CollectiveOptions = NO_OPTIONS): Work<void> {
    checkOptions('raise', options);
    checkType(message, 'string', 'raise: the message');
    return this.#start('raise', NOTHING, NOTHING, undefined, options, 'sum', 0, message);
  }

  /** Pieces that one exchange may be cut into; see {@link Transport}. */
  get mostBlocks(): number {
    return this.#transport?.mostBlocks ?? 1;
  }

  /**
   * True if collectives of the group may be waited for by blocking. If false, as on a browser's
   * main thread, `wait` throws: await `done` instead.
   */
  get mayBlock(): boolean {
    return this.#transport?.mayBlock ?? true;
  }

  /** Frees the transport; used by `destroyGroup` and `release`. */
  close(): void {
    this.#transport?.close();
  }

  #startList(
    kind: CollectiveKind,
    list: ArrayList,
    by: Weights | null,
    like: FloatArray,
    options: CollectiveOptions,
    op: ReduceOp,
    root: number,
  ): Work<void> {
    checkOptions(kind === 'broadcast' ? kind : 'barrier', options);
    const none = like.subarray(0, 0);
    return this.#start(kind, none, none, undefined, options, op, root, '', null, list, by);
  }

  /** Plain parameters and one object: this is on the path of every collective, however small. */
  #start<T>(
    kind: CollectiveKind,
    input: CopiedArray,
    output: CopiedArray,
    result: T,
    options: CollectiveOptions,
    op: ReduceOp,
    root: number,
    message: string,
    gathered: CopiedArray[] | null = null,
    list: ArrayList | null = null,
    by: Weights | null = null,
  ): Work<T> {
    const seconds = options.timeout ?? this.#timeout;
    // Checks only what will fail: this is on the path of every collective.
    if (typeof seconds !== 'number' || !(seconds > 0)) checkTimeout(callOf(kind), seconds);
    if (this.#transport === null) {
      throw new RangeError(
        `${callOf(kind)}: this rank is not in group '${showText(this.name)}' (ranks ${this.ranks.join(', ')})`,
      );
    }
    // Other ranks would learn of it by its length.
    if (this.size === 1) checkAttached(input, callOf(kind));
    const label = options.label ?? '';
    const timeout = seconds * 1000;
    const call: Collective = {
      kind,
      op,
      root,
      input,
      output,
      gathered,
      label,
      timeout,
      message,
      list,
      by,
    };
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
