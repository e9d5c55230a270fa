/** The faults: what each does to which calls, and what must come of it. */

import type { Draw } from './draw.js';
import type { Op, Program } from './program.js';

/**
 * How a fault changes what the guilty rank takes part in.
 * - 'stops': it starts neither its call `at` nor any later one
 * - 'spoils': that call fails on all its members; those that are started already may go on
 * - 'leaves': calls of that group from `at` on do not, those of other groups do
 * - 'perhaps': everything may still come about, depending on the moment
 * - 'nothing': the fault is none, and every rank must end well
 */
export type Effect = 'stops' | 'spoils' | 'leaves' | 'perhaps' | 'nothing';

/** What carries a world of a fault: ranks that are used again, or ranks of its own. */
export type Driver = 'pool' | 'own';

interface Traits {
  readonly effect: Effect;
  /** The guilty rank's thread or process does not live on. */
  readonly deadly: boolean;
  /** Calls that it can meet. Default: any. */
  readonly meets?: (op: Op) => boolean;
  /** Whether the others may learn of it by their deadline alone. */
  readonly stalls?: boolean;
  /** Whether ranks may wait for one another in a circle, in which each may blame the next. */
  readonly circular?: boolean;
  /** Whether the program's calls must all differ, since nothing else tells them apart. */
  readonly plain?: boolean;
  /** Milliseconds from when it is committed until it shows. Default 0. */
  readonly takes?: number;
  /** Driver that it needs. Default: any. */
  readonly driver?: Driver;
}

const hasData = ({ kind, length }: Op) =>
  (kind === 'allReduce' || kind === 'allGather' || kind === 'broadcast') && length > 0;
const isLayer = ({ kind }: Op) => kind === 'layer' || kind === 'globalLayer';
const isPlain = ({ kind }: Op) =>
  kind === 'allReduce' || kind === 'allGather' || kind === 'broadcast' || kind === 'barrier';

export const FAULTS = {
  /** No fault: false alarms would show. */
  none: { effect: 'nothing', deadly: false },
  /** A pause well within the deadline. */
  slow: { effect: 'nothing', deadly: false },
  throw: { effect: 'stops', deadly: true },
  reject: { effect: 'stops', deadly: true, driver: 'own' },
  'exit 0': { effect: 'stops', deadly: true, driver: 'own' },
  'exit 3': { effect: 'stops', deadly: true },
  /** Ended from outside while it waits for something else. */
  terminate: { effect: 'stops', deadly: true, driver: 'pool' },
  /** Ended from outside at any moment of its work. */
  'terminate running': { effect: 'perhaps', deadly: true, driver: 'pool' },
  'memory exhausted': { effect: 'stops', deadly: true, driver: 'own', takes: 5000 },
  /** Stands still before its call for longer than the deadline. */
  stall: { effect: 'stops', deadly: false, stalls: true },
  /** Stands still between the start of its call and waiting for it. */
  'stall inside': { effect: 'perhaps', deadly: false, meets: isPlain, stalls: true },
  operation: { effect: 'spoils', deadly: false, meets: isPlain },
  reduction: { effect: 'spoils', deadly: false, meets: ({ kind }) => kind === 'allReduce' },
  length: { effect: 'spoils', deadly: false, meets: hasData },
  type: { effect: 'spoils', deadly: false, meets: hasData },
  root: { effect: 'spoils', deadly: false, meets: ({ kind }) => kind === 'broadcast' },
  label: { effect: 'spoils', deadly: false, meets: isPlain },
  'layer name': { effect: 'spoils', deadly: false, meets: isLayer },
  'layer options': { effect: 'spoils', deadly: false, meets: isLayer },
  'layer shape': { effect: 'spoils', deadly: false, meets: isLayer },
  /** Gradients of one total size in another order. */
  'gradient order': { effect: 'spoils', deadly: false, meets: ({ kind }) => kind === 'average' },
  'parameter order': {
    effect: 'spoils',
    deadly: false,
    meets: ({ kind }) => kind === 'parameters',
  },
  /** A call with something that is no array. */
  argument: { effect: 'stops', deadly: false, meets: hasData },
  /** Two calls in the other order. */
  order: { effect: 'perhaps', deadly: false, plain: true, stalls: true, circular: true },
  /** A call left out. */
  skip: { effect: 'leaves', deadly: false, plain: true, stalls: true, circular: true },
  destroy: { effect: 'leaves', deadly: false },
  release: { effect: 'stops', deadly: false },
  /** An array whose memory went to another thread before the call. */
  'detached before': { effect: 'spoils', deadly: false, meets: hasData },
  /** The same between the start of the call and its end. */
  'detached inside': { effect: 'perhaps', deadly: false, meets: hasData },
} as const satisfies Record<string, Traits>;

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as FaultKind[];

export const traitsOf = (kind: FaultKind): Traits => FAULTS[kind];

/** One fault of one rank. */
export interface Fault {
  readonly kind: FaultKind;
  /** World rank that commits it. */
  readonly rank: number;
  /** Index of the call that it meets. */
  readonly at: number;
  /** Milliseconds that a pause takes, or until a rank that goes on working is ended. */
  readonly pause: number;
}

/** A fault of this kind somewhere in the program; null where no call suits it. */
export function makeFault(
  draw: Draw,
  kind: FaultKind,
  program: Program,
  timeout: number,
): Fault | null {
  const { meets = () => true, stalls = false } = traitsOf(kind);
  const rank = draw.below(program.size);
  const isIn = (op: Op) => program.groups[op.group].ranks.includes(rank);
  const places = program.ops.filter(
    (op) => meets(op) && isIn(op) && (kind !== 'order' || isIn(program.ops[op.index + 1] ?? op)),
  );
  if (places.length === 0) return null;
  const pause = stalls ? 1500 * timeout + draw.below(300) : draw.below(40) / 10;
  return { kind, rank, at: draw.pick(places).index, pause };
}
