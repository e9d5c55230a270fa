/** What every rank must see of a fault, and what is wrong with what it saw. */

import { traitsOf } from './fault.js';
import type { Plan } from './plan.js';
import { unreachable } from './reach.js';
import type { Report, ThrownError } from './report.js';
import { INJECTED } from './run-rank.js';

/** A rank's end, as its carrier saw it. */
export interface RankEnd {
  readonly report: Report | null;
  /** It had to be ended when its time was over. */
  readonly hung: boolean;
  /** Its carrier ended it since another rank failed, as launchers do. */
  readonly ended: boolean;
}

export interface WorldOutcome {
  readonly ranks: readonly RankEnd[];
  /** When the guilty rank committed the fault, in the clock of the reports; 0: it did not. */
  readonly faultAt: number;
  /** What the launch itself says of its end; null where nothing launched the ranks. */
  readonly launch: { readonly error: ThrownError | null } | null;
}

export interface Verdict {
  readonly violations: string[];
  /** Milliseconds from the fault to each survivor's error. */
  readonly latencies: number[];
  /** Survivors that ended their programs without an error. */
  readonly unharmed: number;
}

/** Milliseconds that a survivor's error may take past the deadline; crowded cores included. */
export const SLACK_MS = 1500;
/** Errors that may end a survivor's program. */
const KNOWN = ['RankFailedError', 'MismatchError', 'DeadlineError', 'CollectiveError'];

/** @param slack milliseconds that an error may take past the fault or the deadline */
export function judge(plan: Plan, outcome: WorldOutcome, slack = SLACK_MS): Verdict {
  const verdict: Verdict = { violations: [], latencies: [], unharmed: 0 };
  let unharmed = 0;
  const complain = (rank: number, what: string) => {
    verdict.violations.push(`rank ${rank}: ${what}`);
  };
  outcome.ranks.forEach((end, rank) => {
    const { report } = end;
    if (end.hung) complain(rank, 'hung');
    if (report === null) {
      if (!end.hung && !mayVanish(plan, end, rank)) complain(rank, 'ended without a report');
      return;
    }
    if (report.wrong.length > 0) complain(rank, `wrong value: ${report.wrong[0]}`);
    if (report.leaveError !== null) complain(rank, `leaving threw ${show(report.leaveError)}`);
    for (const what of impossible(plan, report)) complain(rank, what);
    if (report.error === null && !isGuiltyAndFree(plan, rank)) unharmed++;
    if (rank !== plan.fault.rank) {
      for (const what of judgeError(plan, outcome, report, slack)) complain(rank, what);
      if (report.error !== null && outcome.faultAt > 0) {
        verdict.latencies.push(report.errorAt - outcome.faultAt);
      }
    }
  });
  for (const what of judgeLaunch(plan, outcome)) verdict.violations.push(what);
  return { ...verdict, unharmed };
}

/** A rank that was meant to die, or that its launcher ended for the failure of another. */
function mayVanish(plan: Plan, end: RankEnd, rank: number): boolean {
  return end.ended || (rank === plan.fault.rank && traitsOf(plan.fault.kind).deadly);
}

/** Faults whose committer has no error of its own to report. */
function isGuiltyAndFree({ fault }: Plan, rank: number): boolean {
  return rank === fault.rank && (fault.kind === 'release' || fault.kind === 'destroy');
}

function* impossible(plan: Plan, report: Report): Generator<string> {
  // It goes on at last, and what the others sent before they gave up still counts.
  if (plan.fault.kind === 'stall' && report.rank === plan.fault.rank) return;
  const never = unreachable(plan, report.rank);
  const done = report.completed.find((index) => never.has(index));
  if (done !== undefined) yield `call ${done} ended well without rank ${plan.fault.rank}`;
  const { fault } = plan;
  const own = report.rank === fault.rank;
  if (own && (fault.kind === 'release' || fault.kind === 'destroy')) return;
  const skipped = own && fault.kind === 'skip' ? fault.at : -1;
  const blocked = [...never].find((index) => index !== skipped);
  if (report.error === null && blocked !== undefined) {
    yield `was not told: its program ended well, though call ${blocked} cannot`;
  }
}

/** What is wrong with a survivor's error. */
function* judgeError(
  plan: Plan,
  outcome: WorldOutcome,
  report: Report,
  slack: number,
): Generator<string> {
  const { fault, timeout } = plan;
  const { error } = report;
  if (error === null) return;
  const traits = traitsOf(fault.kind);
  if (traits.effect === 'nothing') {
    yield `failed without a fault: ${show(error)}`;
    return;
  }
  if (!KNOWN.includes(error.name)) yield `error of another kind: ${show(error)}`;
  if (!isNamed(plan, outcome, report, error)) {
    yield `rank ${fault.rank} is not named: ${show(error)}`;
  } else if (traits.stalls && !traits.circular) {
    const blamed = / waited .*? for rank (\d+(?:, \d+)*)/.exec(error.message)?.[1];
    if (blamed !== undefined && blamed !== String(fault.rank))
      yield `others than rank ${fault.rank} are blamed: ${show(error)}`;
  }
  const limit = slack + (traits.takes ?? 0) + (traits.stalls ? timeout * 1000 : 0);
  const late = report.errorAt - outcome.faultAt;
  if (outcome.faultAt > 0 && late > limit) yield `${Math.round(late)} ms late: ${show(error)}`;
}

/**
 * Whether the error names the guilty rank; or a rank that left for an error of its own, which did.
 */
function isNamed(
  { fault, afterError }: Plan,
  { ranks }: WorldOutcome,
  report: Report,
  error: ThrownError,
): boolean {
  if (names(error, fault.rank)) return true;
  if (traitsOf(fault.kind).circular && /DeadlineError/.test(show(error))) return true;
  if (afterError !== 'leaves') return false;
  return ranks.some(({ report: other }) => {
    if (other === null || other.error === null || other.rank === report.rank) return false;
    return other.errorAt <= report.errorAt && names(error, other.rank);
  });
}

function names({ message, rank }: ThrownError, guilty: number): boolean {
  return rank === guilty || new RegExp(`\\branks? (\\d+, )*${guilty}\\b`).test(message);
}

/** A launch whose ranks failed must say so, and name the rank. */
function* judgeLaunch(plan: Plan, { launch, ranks }: WorldOutcome): Generator<string> {
  if (launch === null) return;
  const { carrier, fault, afterError } = plan;
  const { deadly, effect } = traitsOf(fault.kind);
  const failed =
    (deadly && fault.kind !== 'exit 0' && ranks[fault.rank].report === null) ||
    (afterError === 'fails' && ranks.some(({ report }) => report?.error != null));
  if (failed && launch.error === null) yield 'the launch ended well, though a rank failed';
  // A rank may be ended at the moment between its report and its end.
  const mayFail = failed || (deadly && effect === 'perhaps');
  if (!mayFail && launch.error !== null) {
    yield `the launch failed without a rank that did: ${show(launch.error)}`;
  }
  if (!failed || launch.error === null) return;
  if (launch.error.message.includes(INJECTED) || traitsOf(fault.kind).circular) return;
  // mpirun says of a process that a signal ended only that it did.
  if (carrier !== 'threads' && traitsOf(fault.kind).deadly) return;
  if (!names(launch.error, fault.rank)) {
    yield `the launch does not name rank ${fault.rank}: ${show(launch.error)}`;
  }
}

export function show({ name, message }: ThrownError): string {
  const line = message.split('\n', 1)[0];
  return `${name}: ${line.length > 300 ? `${line.slice(0, 300)}...` : line}`;
}
