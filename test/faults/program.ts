/**
 * Random programs: collectives and layers over overlapping groups, the same on every rank. Each
 * rank starts the calls of its groups in the program's order, so a program without a fault ends.
 */

import type { Draw } from './draw.js';

export type OpKind =
  | 'allReduce'
  | 'allGather'
  | 'broadcast'
  | 'barrier'
  | 'layer'
  | 'globalLayer'
  | 'average'
  | 'parameters';

export type ElementType = 'float64' | 'float32' | 'int32';

/**
 * How a call is waited for. 'later': its result is asked for before the next call that is not
 * 'later', together with its neighbours' and in another order on every rank.
 */
export type Style = 'wait' | 'done' | 'later';

/** One call of all members of a group. Fields that its kind does not need mean nothing. */
export interface Op {
  /** Place in the program; the values depend on it. */
  readonly index: number;
  readonly kind: OpKind;
  /** Place among the program's groups. */
  readonly group: number;
  readonly type: ElementType;
  /** Elements that each rank gives. */
  readonly length: number;
  readonly reduce: 'sum' | 'max' | 'min';
  /** Group rank that sends. */
  readonly root: number;
  readonly label: string;
  readonly style: Style;
  /** Of a layer's input. */
  readonly channels: number;
  /** Whether a layer's backward call follows its forward call. */
  readonly backward: boolean;
}

export interface GroupSpec {
  readonly name: string;
  /** World ranks; the index is the group rank. */
  readonly ranks: readonly number[];
}

export interface Program {
  readonly size: number;
  readonly groups: readonly GroupSpec[];
  readonly ops: readonly Op[];
  /** For each rank the order in which it makes its groups at the start; null: at first use. */
  readonly makes: readonly (readonly number[])[] | null;
}

/** Around the lengths at which the algorithms change: short, one step, two steps, chunks. */
const LENGTHS = [0, 1, 3, 64, 65, 129, 1000, 8192, 8193, 20_000];
const KINDS: readonly OpKind[] = [
  ...(['allReduce', 'allReduce', 'allGather', 'broadcast', 'barrier'] as const),
  ...(['layer', 'layer', 'globalLayer', 'average', 'parameters'] as const),
];
/** Calls that are over when they return, however a program would rather wait for them. */
const BLOCKING: ReadonlySet<OpKind> = new Set(['layer', 'globalLayer', 'average', 'parameters']);

export function isBlocking(op: Op): boolean {
  return BLOCKING.has(op.kind);
}

/** @param plain whether every call is a plain collective with a label of its own */
export function makeProgram(draw: Draw, size: number, plain: boolean): Program {
  const groups = makeGroups(draw, size);
  const ops = Array.from({ length: draw.between(6, 18) }, (_, i) => makeOp(draw, i, groups, plain));
  const all = groups.map((_, g) => g);
  const makes = draw.chance(0.5) ? Array.from({ length: size }, () => draw.shuffle(all)) : null;
  return { size, groups, ops, makes };
}

/** The group of all, and up to three that overlap with it and one another. */
function makeGroups(draw: Draw, size: number): GroupSpec[] {
  const all = Array.from({ length: size }, (_, rank) => rank);
  const groups = [{ name: 'everyone', ranks: all }];
  for (let g = draw.between(1, 3); g > 0; g--) {
    const ranks = draw.shuffle(all).slice(0, draw.between(2, size));
    groups.push({ name: `g${g}`, ranks: draw.chance(0.3) ? ranks : ranks.sort((a, b) => a - b) });
  }
  return groups;
}

function makeOp(draw: Draw, index: number, groups: readonly GroupSpec[], plain: boolean): Op {
  const kind = plain ? draw.pick(KINDS.slice(0, 5)) : draw.pick(KINDS);
  // GlobalBatchNorm makes its own group, of all ranks here.
  const group = kind === 'globalLayer' ? 0 : draw.below(groups.length);
  const style = draw.pick(['wait', 'wait', 'done', 'later'] as const);
  return {
    index,
    kind,
    group,
    type: draw.pick(['float64', 'float32', 'int32']),
    length: draw.pick(LENGTHS),
    reduce: draw.pick(['sum', 'max', 'min']),
    root: draw.below(groups[group].ranks.length),
    label: plain ? `op ${index}` : draw.pick(['', 'L0', 'L1']),
    style: BLOCKING.has(kind) ? 'wait' : style,
    channels: draw.between(1, kind === 'globalLayer' ? 2 : 4),
    backward: draw.chance(0.7),
  };
}
