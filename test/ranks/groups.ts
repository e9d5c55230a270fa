/** Calls the functions of the communication table, and tells what they return or throw. */

import * as syncbn from 'syncbn';

/** A function of the table, or what a group that a step has made can do: `use` and `sum`. */
export interface GroupStep {
  call: string;
  args?: unknown[];
}

export interface GroupView {
  name: string;
  ranks: number[];
  rank: number;
  size: number;
}

export type GroupOutcome = { value: unknown } | { error: { name: string; message: string } };

/** What a {@link syncbn.ProcessGroup} says of itself. */
const viewOf = ({ name, ranks, rank, size }: syncbn.ProcessGroup): GroupView => ({
  name,
  ranks: [...ranks],
  rank,
  size,
});

/** Groups by name, from one task to the next. */
const made = new Map<string, syncbn.ProcessGroup>();

const ACTIONS: Record<string, (...args: never[]) => unknown> = {
  createGroup(name: string, ranks: number[]) {
    const group = syncbn.createGroup(name, ranks);
    made.set(name, group);
    return viewOf(group);
  },
  /** Whether making it again gives the same object. */
  createAgain: (name: string, ranks: number[]) =>
    syncbn.createGroup(name, ranks) === made.get(name),
  /** Calls a collective of a group that a step has made. */
  use(name: string, kind: 'barrier' | 'allReduce' | 'allGather' | 'broadcast', value = 1) {
    const group = made.get(name)!;
    const data = Float64Array.of(value);
    if (kind === 'barrier') return group.barrier().wait() ?? 'done';
    return Array.from(group[kind as 'allReduce'](data).wait());
  },
  /** Starts a collective of a group that a step has made, and goes on. */
  begin(name: string) {
    made.get(name)!.barrier();
  },
  /** Makes groups of both ranks and destroys each at once. */
  makeAndLeave(prefix: string, count: number) {
    for (let i = 0; i < count; i++) {
      syncbn.createGroup(`${prefix} ${i}`, [0, 1]);
      syncbn.destroyGroup(`${prefix} ${i}`);
    }
    return count;
  },
  /** Whether a function takes the object for its name. */
  sizeOfObject: (name: string) => syncbn.getGroupSize(made.get(name)!),
  async releaseAndInit() {
    syncbn.release();
    const between = syncbn.isInitialized();
    await syncbn.init();
    await syncbn.init();
    return [between, syncbn.isInitialized(), syncbn.getRank(), syncbn.getGroupSize()];
  },
  /** Makes, uses and destroys groups, `count` times, each with its neighbours in a ring. */
  cycle(count: number) {
    const [rank, size] = [syncbn.getRank(), syncbn.getGroupSize()];
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const names = [rank, (rank + 1) % size];
      const groups = names.map((first) => {
        const ranks = [first, (first + size - 1) % size];
        return syncbn.createGroup(`ring ${i}/${first}`, ranks);
      });
      const works = groups.map((group) => group.allReduce(Float64Array.of(rank + 1)));
      for (const work of works) sum += work.wait()[0];
      for (const { name } of groups) syncbn.destroyGroup(name);
    }
    return sum;
  },
};

export async function runGroups(steps: GroupStep[]): Promise<GroupOutcome[]> {
  const outcomes: GroupOutcome[] = [];
  for (const { call, args = [] } of steps) {
    try {
      const action = ACTIONS[call] ?? (syncbn as unknown as typeof ACTIONS)[call];
      outcomes.push({ value: (await action(...(args as never[]))) ?? null });
    } catch (error) {
      const { name, message } = error as Error;
      outcomes.push({ error: { name, message } });
    }
  }
  return outcomes;
}
