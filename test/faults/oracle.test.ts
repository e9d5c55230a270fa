import { describe, expect, test } from 'vitest';
import { FAULT_KINDS, type FaultKind } from './fault.js';
import { judge, type WorldOutcome } from './oracle.js';
import { makePlan, type Plan } from './plan.js';
import { unreachable } from './reach.js';
import { emptyReport, type Report } from './report.js';

/** Two ranks, three barriers of both, and a fault of rank 1 at the second. */
function planOf(kind: FaultKind, timeout = 10): Plan {
  const plan = makePlan({ seed: 1, carrier: 'threads', kinds: [kind] });
  const op = { ...plan.program.ops[0], kind: 'barrier', group: 0, style: 'wait' } as const;
  const program = {
    size: 2,
    groups: [{ name: 'everyone', ranks: [0, 1] }],
    ops: [0, 1, 2].map((index) => ({ ...op, index })),
    makes: null,
  };
  const fault = { kind, rank: 1, at: 1, pause: 0 };
  return { ...plan, program, fault, timeout, afterError: 'fails' };
}

/** Both ranks end as they should after rank 1 has thrown, but for what is changed. */
function outcomeOf(survivor: Partial<Report> | null, hung = false): WorldOutcome {
  const error = { name: 'RankFailedError', message: 'rank 1 failed: Error: x', rank: 1 };
  const told = { completed: [0], error, errorIn: 1, errorAt: 1001, ...survivor };
  return {
    ranks: [
      { report: survivor && { ...emptyReport(0), ...told }, hung, ended: false },
      { report: null, hung: false, ended: false },
    ],
    faultAt: 1000,
    launch: null,
  };
}

const violationsOf = (survivor: Partial<Report> | null, kind: FaultKind = 'throw') =>
  judge(planOf(kind), outcomeOf(survivor)).violations;

describe('the oracle', () => {
  test('finds nothing wrong when the survivor is told at once, by name', () => {
    const verdict = judge(planOf('throw'), outcomeOf({}));
    expect(verdict).toEqual({ violations: [], latencies: [1], unharmed: 0 });
  });

  test.each<[string, Partial<Report>]>([
    ['rank 0: wrong value: call 0: element 3', { wrong: ['call 0: element 3 is 0, not 1'] }],
    ['rank 0: leaving threw Error: x', { leaveError: { name: 'Error', message: 'x', rank: null } }],
    ['rank 0: call 1 ended well without rank 1', { completed: [0, 1] }],
    ['rank 0: was not told: its program ended well, though call 1 cannot', { error: null }],
    [
      'rank 0: error of another kind: Error: rank 1 is gone',
      { error: { name: 'Error', message: 'rank 1 is gone', rank: null } },
    ],
    [
      'rank 0: rank 1 is not named: DeadlineError: rank 0 waited for rank 2, 10',
      { error: { name: 'DeadlineError', message: 'rank 0 waited for rank 2, 10', rank: null } },
    ],
    ['rank 0: 9000 ms late: RankFailedError: rank 1 failed', { errorAt: 10_000 }],
  ])('complains "%s"', (text, survivor) => {
    expect(violationsOf(survivor)).toEqual([expect.stringContaining(text)]);
  });

  test('complains of a rank that hangs, and of one that vanishes', () => {
    const hanging = judge(planOf('throw'), outcomeOf(null, true));
    expect(hanging.violations).toEqual(['rank 0: hung']);
    expect(violationsOf(null)).toEqual(['rank 0: ended without a report']);
  });

  test('complains of a failure without a fault', () => {
    const [first] = violationsOf({}, 'none');
    expect(first).toBe('rank 0: failed without a fault: RankFailedError: rank 1 failed: Error: x');
  });

  test('complains of a launch that ends well though a rank failed', () => {
    const outcome = { ...outcomeOf({}), launch: { error: null } };
    expect(judge(planOf('throw'), outcome).violations).toEqual([
      'the launch ended well, though a rank failed',
    ]);
  });

  test('lets a rank that stood still end what the others had sent before they gave up', () => {
    const [survivor, guilty] = [
      outcomeOf({}).ranks[0],
      { ...emptyReport(1), completed: [0, 1, 2] },
    ];
    const ranks = [survivor, { report: guilty, hung: false, ended: false }];
    const outcome = { ...outcomeOf({}), ranks };
    expect(judge(planOf('stall'), outcome).violations).toEqual([]);
    expect(judge(planOf('throw'), outcome).violations).toContain(
      'rank 1: call 1 ended well without rank 1',
    );
  });

  test('complains of a launch that fails though no rank did, unless one was ended from outside', () => {
    const error = { name: 'exit code 9', message: 'rank 1', rank: null };
    const report = { completed: [0, 1, 2], error: null, errorIn: null, errorAt: 0 };
    const ends = [0, 1].map((rank) => ({
      report: { ...emptyReport(rank), ...report },
      hung: false,
      ended: false,
    }));
    const outcome = { ranks: ends, faultAt: 1000, launch: { error } };
    expect(judge(planOf('none'), outcome).violations).toEqual([
      'the launch failed without a rank that did: exit code 9: rank 1',
    ]);
    expect(judge(planOf('terminate running'), outcome).violations).toEqual([]);
  });

  test('wants the rank that stands still to be blamed alone', () => {
    const error = { name: 'DeadlineError', message: 'rank 0 waited 1 s for rank 1, 2', rank: null };
    const [violation] = judge(planOf('stall', 1), outcomeOf({ error, errorAt: 2100 })).violations;
    expect(violation).toContain('rank 0: others than rank 1 are blamed');
  });
});

describe('what can be reached', () => {
  test('ends where a member stops, for all that need it', () => {
    expect([...unreachable(planOf('throw'), 0)]).toEqual([1, 2]);
    expect([...unreachable(planOf('none'), 0)]).toEqual([]);
  });

  test('goes on behind a call that is spoilt, if the calls behind it were started', () => {
    const plan = planOf('label');
    const ops = plan.program.ops.map((op) => ({ ...op, style: 'later' as const }));
    expect([...unreachable({ ...plan, program: { ...plan.program, ops } }, 0)]).toEqual([1]);
  });
});

test('a seed makes the same plan again, and neighbours make others', () => {
  const plan = (seed: number) =>
    JSON.stringify(makePlan({ seed, carrier: 'threads', kinds: FAULT_KINDS }));
  expect(plan(7)).toBe(plan(7));
  const plans = new Set(Array.from({ length: 50 }, (_, seed) => plan(seed)));
  expect(plans.size).toBe(50);
});
