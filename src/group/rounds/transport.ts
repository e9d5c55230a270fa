/**
 * Collectives of one group of processes. Each begins with one round of frames: every rank's header
 * reaches every other rank, so that ranks which disagree find out in the same words, and nothing is
 * left half sent. Short data travels in the same frames; long sums send each rank its part to
 * combine and gather the parts in a second round; what is longer still goes through {@link Bulk}.
 */

import {
  CollectiveError,
  DeadlineError,
  MismatchError,
  RankFailedError,
} from '../../core/errors.js';
import { addOther, combine } from '../mpi/combine.js';
import type { Mpi } from '../mpi/library/library.js';
import { Bulk } from '../mpi/messages/bulk.js';
import type { Collective, Transport } from '../transport.js';
import { disagree } from './disagreement.js';
import type { MpiGroup } from './group.js';
import {
  type Departure,
  describe,
  type FrameCall,
  findOdd,
  writeHeader,
  writeText,
} from './header.js';
import { partBytes, partOf } from './parts.js';
import type { Arrival, Frames } from './rounds.js';
import type { Waiting } from './waiting.js';
import { type Carrier, MpiWork, type Route } from './work.js';

/** A sum of this many bytes goes in one round however many ranks there are. */
const ALWAYS_WHOLE_BYTES = 2048;
/** Bytes that a rank sends more where that saves a second round. */
const ROUND_BYTES = 8192;
/**
 * Bytes up to which what is only copied goes in frames; more goes straight from array to array.
 * Measured, two ranks of one host: 20,000 float64 take 33 µs to gather in frames, 22 in chunks.
 */
const COPY_BYTES = 65536;

export class MpiTransport implements Transport, Carrier {
  /** Measured, shapes of 0.4 to 26 MB a rank: one block wins, each further one waits for all ranks. */
  readonly mostBlocks = 1;
  readonly mayBlock = true;
  readonly waiting: Waiting;
  readonly group: MpiGroup;
  readonly #mpi: Mpi;
  readonly #frames: Frames;
  readonly #bulk: Bulk;
  readonly #queue: MpiWork[] = [];
  /** What follows the first round; null while that is under way. */
  #script: Iterator<Arrival> | null = null;
  /** What the first work waits for. */
  #awaited: Arrival;
  #calls = 0;
  /** Why no collective can run any more. */
  #end: Error | null = null;
  #closed = false;

  constructor(mpi: Mpi, group: MpiGroup, waiting: Waiting) {
    this.#mpi = mpi;
    this.group = group;
    this.waiting = waiting;
    this.#frames = group.frames;
    this.#awaited = group.frames;
    this.#bulk = new Bulk(mpi, group.comm, group.frames.member, group.frames.members);
    waiting.add(this);
  }

  start(call: Collective): MpiWork {
    return this.#enqueue(call, this.#routeOf(call));
  }

  /** Ends this rank's part in the group; the others' next collective fails, or ends as theirs. */
  leave(departure: Departure): MpiWork {
    return this.#enqueue(departure, 'none');
  }

  /** Ends the group with the world: MPI is gone, so nothing is freed. */
  abandon(): void {
    this.#break(new CollectiveError(`group '${this.group.name}' has ended: its world was left`));
  }

  /** Whether no collective can run any more. */
  get ended(): boolean {
    return this.#end !== null;
  }

  advance(): void {
    try {
      while (this.#queue.length > 0 && this.#awaited.arrived()) this.#step(this.#queue[0]);
    } catch (error) {
      this.#break(error as Error);
    }
  }

  expire(work: MpiWork): void {
    const { ranks } = this.group;
    const rank = ranks[this.#frames.member];
    const head = this.#queue[0];
    const missing = this.#script === null ? this.#frames.missing().map((m) => ranks[m]) : [];
    const whom = missing.length === 0 ? 'data' : `rank ${missing.join(', ')}`;
    const behind = head === work ? '' : `, behind ${describe(head.call, head.number)},`;
    this.#break(
      new DeadlineError(
        `rank ${rank} waited ${work.timeout / 1000} s in ${describe(work.call, work.number)} in group ` +
          `'${this.group.name}'${behind} for ${whom}`,
      ),
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const clean = this.#end === null && this.#queue.length === 0;
    this.#break(new CollectiveError(`group '${this.group.name}' was destroyed`));
    // Messages under way still write to the memory, so then it is not given back.
    if (clean) {
      this.#frames.close();
      this.#bulk.close();
    }
    this.group.onClose(clean);
  }

  #enqueue(call: FrameCall, route: Route): MpiWork {
    const work = new MpiWork(this, call, ++this.#calls, route);
    if (this.#end !== null) {
      work.fail(this.#end);
      return work;
    }
    this.#queue.push(work);
    if (this.#queue.length === 1) this.#begin(work);
    return work;
  }

  #begin({ call, number, route }: MpiWork): void {
    const frames = this.#frames;
    try {
      writeHeader(frames, call, number);
      if (call.kind === 'raise' || call.kind === 'leave') {
        frames.sendToAll(writeText(frames, call.message));
      } else if (route === 'parts') {
        frames.sendParts(call.input);
      } else if (route === 'whole') {
        frames.sendToAll(this.#fillFrame(call), call.input.byteLength);
      } else {
        frames.sendToAll(0);
      }
    } catch (error) {
      this.#break(error as Error);
    }
  }

  /** Puts this rank's data into its frame. @returns bytes of payload */
  #fillFrame({ kind, input, root }: Collective): number {
    if (kind === 'broadcast' && this.#frames.member !== root) return 0;
    this.#frames.ownPayload(input).set(input);
    return input.byteLength;
  }

  #routeOf({ kind, input }: Collective): Route {
    const bytes = input.byteLength;
    if (bytes === 0) return 'none';
    if (kind === 'allReduce') return this.#routeOfSum(bytes);
    return bytes <= Math.min(COPY_BYTES, this.#frames.capacity) ? 'whole' : 'bulk';
  }

  #routeOfSum(bytes: number): Route {
    const { members, capacity, partsCapacity } = this.#frames;
    // Everyone sends everything to all, or each one's part and then its own part's sum to all.
    const [whole, parts] = [bytes * (members - 1), (2 * bytes * (members - 1)) / members];
    const isFaster = bytes <= ALWAYS_WHOLE_BYTES || whole - parts <= ROUND_BYTES;
    if (bytes <= capacity && isFaster) return 'whole';
    return bytes <= partsCapacity ? 'parts' : 'bulk';
  }

  /** Goes on with the first work after what was under way for it has arrived. */
  #step(work: MpiWork): void {
    try {
      if (this.#script === null) this.#script = this.#afterHeaders(work);
      if (this.#script === null) {
        this.#next(work);
        return;
      }
      const { done, value } = this.#script.next();
      if (done === true) this.#next(work);
      else this.#awaited = value;
    } catch (error) {
      const agreed = error instanceof MismatchError || error instanceof RankFailedError;
      if (!agreed) throw error;
      // All ranks throw the same here, and nothing is under way: the group goes on.
      work.fail(error);
      this.#next(work);
    }
  }

  #next(work: MpiWork): void {
    this.#script = null;
    this.#awaited = this.#frames;
    work.finish();
    this.#queue.shift();
    if (this.#queue.length > 0) this.#begin(this.#queue[0]);
  }

  /** @returns what is left to do, or null when the collective is over */
  #afterHeaders({ call, number, route }: MpiWork): Iterator<Arrival> | null {
    const odd = findOdd(this.#frames);
    if (odd >= 0) return disagree(this.group, call, number, odd);
    if (call.kind === 'leave' || route === 'none') return null;
    if (route === 'parts') return this.#gatherSum(call);
    if (route === 'bulk') return this.#bulk.run(call);
    if (this.#frames.watchAll()) return this.#takePieces(call);
    this.#takeFrames(call);
    return null;
  }

  *#takePieces(call: Collective): Generator<Arrival> {
    yield this.#frames;
    this.#takeFrames(call);
  }

  #takeFrames(call: Collective): void {
    const { kind, root, input, output } = call;
    const { length } = input;
    const frames = this.#frames;
    const views = frames.payloads(input);
    if (kind === 'allReduce') {
      this.#sumFrames(call);
    } else if (kind === 'broadcast') {
      if (frames.member !== root || output !== input) output.set(views[root].subarray(0, length));
    } else {
      for (let m = 0; m < frames.members; m++) {
        output.set(views[m].subarray(0, length), m * length);
      }
    }
  }

  #sumFrames({ op, input, output }: Collective): void {
    const { length } = input;
    const frames = this.#frames;
    const blocks = frames.blocks(input);
    const inPlace = frames.members === 2 && op === 'sum' && output === input;
    if (inPlace && addOther(this.#mpi, blocks, 1 - frames.member, output, length)) return;
    combine(this.#mpi, blocks, output, op, length);
  }

  /** Combines this rank's part and gathers everyone's. */
  *#gatherSum({ op, input, output }: Collective): Generator<Arrival> {
    const frames = this.#frames;
    const { members, member } = frames;
    if (frames.watchAll()) yield frames;
    const { from, to } = partOf(input.length, members, member);
    combine(this.#mpi, frames.partBlocks(input), frames.ownPayload(input), op, to - from);
    frames.sendToAll(partBytes(input, members));
    frames.watchAll();
    yield frames;
    const views = frames.payloads(input);
    for (let m = 0; m < members; m++) {
      const { from, to } = partOf(input.length, members, m);
      output.set(views[m].subarray(0, to - from), from);
    }
  }

  /** Ends the group on this rank: its messages no longer match the others'. */
  #break(error: Error): void {
    this.#end = error;
    for (const work of this.#queue) work.fail(error);
    this.#queue.length = 0;
    this.waiting.remove(this);
  }
}
