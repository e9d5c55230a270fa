/** Options that both layers take, and their checks. */

import { checkChoice, checkType } from '../core/checks.js';
import { type ComputeDType, checkDType, computeDType, type DType } from '../core/dtype.js';
import { needFeature } from '../core/features.js';
import { checkOptionNames } from '../core/options.js';
import { show, showText } from '../core/show.js';
import { currentKernels, type Kernels } from '../ops/kernels.js';
import { checkEps } from './checks.js';
import { nextNumber } from './numbers.js';

/** A layer's rule for a batch that holds NaN or infinity. */
export type NonFiniteRule = 'skip' | 'propagate' | 'throw';
export const NON_FINITE_RULES: readonly NonFiniteRule[] = ['skip', 'propagate', 'throw'];

/** Options that both layers take, besides their own. */
export interface CommonOptions {
  /** Added to the variance inside the root. Default 1e-5. */
  eps?: number;
  /** Type of parameters and buffers; the 16-bit types keep them in float32. Default 'float32'. */
  dtype?: DType;
  /**
   * Name in collectives and errors, of at most 200 characters; the same on every rank. Default:
   * class and channel count.
   */
  name?: string;
  /** If true, the channel is the last axis instead of axis 1. Default false. */
  channelsLast?: boolean;
  /** If true, results do not depend on how the batch is split over ranks. Default false. */
  reproducible?: boolean;
  /**
   * With `reproducible`: if true, the gradients of weight and bias are the exact sums over the
   * group, the same on every rank and for every split, instead of the sums over this rank's
   * samples. They must not be averaged or summed over the group again. Default false.
   */
  groupGradients?: boolean;
  /**
   * Effect of a NaN or infinity in the group's batch in training. 'skip' (default): running
   * statistics stay as they are, `skippedUpdates` counts; 'propagate': they take it over; 'throw':
   * RangeError on every rank.
   */
  onNonFinite?: NonFiniteRule;
}

/** Their defaults. */
export const COMMON_USUAL = {
  eps: 1e-5,
  dtype: 'float32',
  channelsLast: false,
  reproducible: false,
  groupGradients: false,
  onNonFinite: 'skip',
} as const;

/** The common options, checked and filled in. */
export interface CommonSetup {
  /** `SyncBatchNorm 'bn2'`, or `SyncBatchNorm(64)` without a name. */
  readonly label: string;
  /** Beginning of its parameters' names. */
  readonly prefix: string;
  /** Name of its collectives: `label`, and a number if the layer has no name. */
  readonly numbered: string;
  readonly dtype: ComputeDType;
  readonly eps: number;
  readonly channelsLast: boolean;
  readonly reproducible: boolean;
  readonly groupGradients: boolean;
  readonly onNonFinite: NonFiniteRule;
  readonly kernels: Kernels;
}

/** Presence or training of weight and bias: both, none, or one of them. */
export type AffineOption = boolean | { readonly weight: boolean; readonly bias: boolean };

/** The two parts of an `affine` option. */
export function affineParts(affine: unknown, label: string): { weight: boolean; bias: boolean } {
  if (typeof affine !== 'object' || affine === null) {
    const both = checkType(affine, 'boolean', `${label}: affine`);
    return { weight: both, bias: both };
  }
  checkOptionNames(affine, ['weight', 'bias'], `${label}: affine`);
  const { weight, bias } = affine as { weight?: unknown; bias?: unknown };
  return {
    weight: checkType(weight, 'boolean', `${label}: affine.weight`),
    bias: checkType(bias, 'boolean', `${label}: affine.bias`),
  };
}

/** Most characters of a layer's name. */
const MOST_NAME = 200;

/** `SyncBatchNorm 'bn2'`, or `SyncBatchNorm(64)` without a name. */
export function labelOf(kind: string, numFeatures: unknown, options: CommonOptions): string {
  const name = options?.name;
  if (name === undefined) return `${kind}(${show(numFeatures)})`;
  checkType(name, 'string', `${kind}: name`);
  // Collectives carry all of it, to tell layers apart.
  if (name.length > MOST_NAME) {
    throw new RangeError(
      `${kind}: name must have at most ${MOST_NAME} characters, got ${name.length}: '${showText(name)}'`,
    );
  }
  return `${kind} '${showText(name, 6 * MOST_NAME)}'`;
}

/** The first layer has no number: most programs have one of a width. */
function numberedLabel({ name }: CommonOptions, label: string): string {
  const number = name === undefined ? nextNumber(label) : 1;
  return number === 1 ? label : `${label} #${number}`;
}

/** Writes those of `options` that differ from the defaults: '{ eps: 0.001 }', or nothing. */
export function unusualOptions(options: object, usual: object): string {
  const known = usual as Record<string, unknown>;
  const unusual = Object.entries(options).filter(([name, value]) => value !== known[name]);
  if (unusual.length === 0) return '';
  return ` { ${unusual.map(([name, value]) => `${name}: ${JSON.stringify(value)}`).join(', ')} }`;
}

/** Checks the options that both layers take. */
export function commonSetup(options: CommonOptions, label: string): CommonSetup {
  const usual = COMMON_USUAL;
  const { eps = usual.eps, channelsLast = usual.channelsLast } = options;
  const { reproducible = usual.reproducible, onNonFinite = usual.onNonFinite } = options;
  const { groupGradients = usual.groupGradients } = options;
  checkType(groupGradients, 'boolean', `${label}: groupGradients`);
  if (groupGradients && !reproducible) {
    throw new RangeError(`${label}: groupGradients needs reproducible: true, got ${reproducible}`);
  }
  // 16-bit parameters would lose the optimizer's small steps; float32 or better is the rule.
  const dtype = computeDType(checkDType(options.dtype ?? usual.dtype, label));
  if (dtype === 'float64') needFeature(dtype, label);
  if (reproducible) needFeature('reproducible', label);
  return {
    label,
    prefix: options.name === undefined ? '' : `${options.name}.`,
    numbered: numberedLabel(options, label),
    dtype,
    eps: checkEps(eps, label),
    channelsLast: checkType(channelsLast, 'boolean', `${label}: channelsLast`),
    reproducible: checkType(reproducible, 'boolean', `${label}: reproducible`),
    groupGradients,
    onNonFinite: checkChoice(onNonFinite, NON_FINITE_RULES, `${label}: onNonFinite`),
    kernels: currentKernels(),
  };
}
