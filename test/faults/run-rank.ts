/** Runs a plan's program on one rank, commits the fault if it is this rank's, and reports. */

import { createGroup, destroyGroup, type ProcessGroup, release } from 'syncbn';
import { Calls, detach, type Pending } from './calls.js';
import type { FaultKind } from './fault.js';
import type { Plan } from './plan.js';
import type { Op } from './program.js';
import { emptyReport, now, type Report, thrown } from './report.js';

/** What carries the rank. */
export interface Surroundings {
  /** Joins the world. */
  join(): Promise<void>;
  /** The fault is committed at this moment; called before it is. */
  committed(at: number): void;
  /** Has this rank ended from outside after so many milliseconds. */
  terminate(delay: number): void;
}

/** Text of every error that a fault throws. */
export const INJECTED = 'injected by the harness';
/** Milliseconds for which a rank stands still that is about to be ended. */
const UNTIL_ENDED_MS = 20_000;

/** @returns the report, and what the program threw, if it did */
export async function runRank(
  plan: Plan,
  rank: number,
  surroundings: Surroundings,
): Promise<{ report: Report; error?: unknown }> {
  const program = new RankProgram(plan, rank, surroundings);
  const { report } = program;
  try {
    await surroundings.join();
    await program.run();
    return { report };
  } catch (error) {
    report.error = thrown(error);
    report.errorAt = now();
    report.errorIn = program.current;
    return { report, error };
  }
}

class RankProgram {
  readonly report: Report;
  /** Index of the call that is started or waited for. */
  current: number | null = null;
  readonly #plan: Plan;
  readonly #rank: number;
  readonly #surroundings: Surroundings;
  readonly #calls: Calls;
  readonly #groups = new Map<number, ProcessGroup>();
  /** Groups that this rank takes part in no longer. */
  readonly #left = new Set<number>();
  #later: Pending[] = [];
  #released = false;

  constructor(plan: Plan, rank: number, surroundings: Surroundings) {
    this.#plan = plan;
    this.#rank = rank;
    this.#surroundings = surroundings;
    this.#calls = new Calls(plan.program, rank);
    this.report = emptyReport(rank);
  }

  async run(): Promise<void> {
    const { makes, groups } = this.#plan.program;
    for (const g of makes?.[this.#rank] ?? []) {
      if (groups[g].ranks.includes(this.#rank)) this.#group(g);
    }
    for (const op of this.#ownOps()) {
      await this.#runOp(op);
      if (this.#released) return;
    }
    await this.#flush();
  }

  /** The calls of this rank's groups; a rank that confuses their order has them in another. */
  #ownOps(): Op[] {
    const { ops, groups } = this.#plan.program;
    const { kind, rank, at } = this.#plan.fault;
    const order = [...ops];
    if (kind === 'order' && rank === this.#rank) order.splice(at, 2, ops[at + 1], ops[at]);
    return order.filter(({ group }) => groups[group].ranks.includes(this.#rank));
  }

  async #runOp(op: Op): Promise<void> {
    const { fault } = this.#plan;
    const guilty = fault.rank === this.#rank && fault.at === op.index;
    this.current = op.index;
    if (guilty) {
      await this.#commit(op);
      if (this.#released || fault.kind === 'skip') return;
    }
    if (this.#left.has(op.group)) return;
    if (op.style !== 'later') await this.#flush();
    this.current = op.index;
    const call = this.#calls.start(op, this.#group(op.group), guilty ? fault.kind : null);
    if (guilty) this.#meddle(call);
    if (op.style === 'later') this.#later.push(call);
    else await this.#finish(call, op.style === 'wait');
  }

  /** The group, made when it is first needed. */
  #group(g: number): ProcessGroup {
    let group = this.#groups.get(g);
    if (group === undefined) {
      const { name, ranks } = this.#plan.program.groups[g];
      group = createGroup(name, ranks);
      this.#groups.set(g, group);
    }
    return group;
  }

  /** Waits for the calls that were started and left, in another order on every rank. */
  async #flush(): Promise<void> {
    const calls = this.#rank % 2 === 0 ? this.#later : this.#later.toReversed();
    this.#later = [];
    for (const call of calls) await this.#finish(call, this.#rank % 3 === 0);
  }

  async #finish(call: Pending, blocking: boolean): Promise<void> {
    const { index } = call.op;
    this.current = index;
    const wrong = blocking ? call.wait() : await call.done();
    // Whoever sends an array away sees nothing of what comes into it.
    const own = this.#isGuilty('detached inside') && this.#plan.fault.at === index;
    if (wrong !== null && !own) this.report.wrong.push(`call ${index}: ${wrong}`);
    this.report.completed.push(index);
  }

  #isGuilty(kind: FaultKind): boolean {
    return this.#plan.fault.rank === this.#rank && this.#plan.fault.kind === kind;
  }

  /** What the fault does before the call that it meets, or instead of it. */
  async #commit(op: Op): Promise<void> {
    const { kind, pause } = this.#plan.fault;
    this.report.faultAt = now();
    this.#surroundings.committed(this.report.faultAt);
    switch (kind) {
      case 'slow':
      case 'stall':
        return standStill(pause);
      case 'throw':
        throw new Error(INJECTED);
      case 'reject':
        void Promise.reject(new Error(INJECTED));
        await new Promise((resolve) => setTimeout(resolve, UNTIL_ENDED_MS));
        return;
      case 'exit 0':
        process.exit(0);
        break;
      case 'exit 3':
        process.exit(3);
        break;
      case 'terminate':
        this.#surroundings.terminate(0);
        return standStill(UNTIL_ENDED_MS);
      case 'terminate running':
        return this.#surroundings.terminate(pause);
      case 'memory exhausted':
        return exhaustMemory();
      case 'release':
        release();
        this.#released = true;
        return;
      case 'destroy':
        this.#group(op.group);
        destroyGroup(this.#plan.program.groups[op.group].name);
        for (const name of this.#calls.layerGroups(op.group)) destroyGroup(name);
        this.#left.add(op.group);
        return;
      default:
        return;
    }
  }

  /** What the fault does to a call that is under way. */
  #meddle({ input }: Pending): void {
    const { kind, pause } = this.#plan.fault;
    if (kind === 'stall inside') standStill(pause);
    if (kind === 'detached inside' && input !== null) detach(input);
  }
}

const pauseWord = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread, as a long computation does. */
function standStill(milliseconds: number): void {
  Atomics.wait(pauseWord, 0, 0, milliseconds);
}

function exhaustMemory(): void {
  const kept: unknown[] = [];
  for (;;) kept.push(new Array(10_000).fill(kept.length));
}
