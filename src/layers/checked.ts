/**
 * The checked mode of the layers: finds inputs and outputs that were changed between forward and
 * backward, and ranks whose options, weights or running statistics differ. See docs/reliability.md.
 */

import { digestOf } from '../core/digest.js';
import type { Tensor } from '../core/tensor.js';
import { Agreement } from '../group/agreement.js';
import { type Pass, runNow } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import type { ForwardContext } from './context.js';
import type { StateDict } from './state-dict.js';
import type { Tail } from './synchronization.js';

/** The part of a layer that ranks compare. */
export interface CheckedLayer {
  readonly label: string;
  /** "SyncBatchNorm(2, eps=1e-5, momentum=0.1)": its options by name. */
  toString(): string;
}

/**
 * Compares a layer over the ranks of a call.
 * @param tail of the call: its addition and its activation are compared
 * @param state parameters and buffers, compared bit by bit
 * @returns null when there is nobody to compare with
 */
export function agreementOf(
  layer: CheckedLayer,
  group: ProcessGroup | null,
  training: boolean,
  tail: Tail | null | undefined,
  state: StateDict,
): Pass<void> | null {
  if (group === null || group.size === 1) return null;
  const tensors = Object.entries(state).map(([name, { data }]) => ({ name, data }));
  const call = { training, add: !!tail?.add, activation: tail?.rectify ? 'relu' : 'none' };
  return new Agreement(group, layer.label, { ...call, ...optionsIn(layer.toString()) }, tensors);
}

/** Compares now, blocking. */
export function agreeNow(agreement: Pass<void> | null): void {
  if (agreement !== null) runNow(agreement);
}

/** The options in a layer's text. */
function optionsIn(text: string): Record<string, string> {
  const words = text.matchAll(/(\w+)=('[^']*'|\{[^}]*\}|[^,)]*)/g);
  return Object.fromEntries([...words].map(([, name, value]) => [name, value]));
}

/** Digest of a forward call's input, or of an output that is kept. */
export function digestOfTensor({ data }: Tensor): number {
  return digestOf(data);
}

/** @throws RangeError if a tensor that a forward call keeps has changed */
export function checkUnchanged(context: ForwardContext | null, label: string): void {
  if (context === null || context.saved === null || context.digest === null) return;
  const { input, digest, tail } = context;
  checkDigest(input, digest, `${label}: the input`);
  if (tail !== null) checkDigest(tail.y, tail.digest, `${label}: the output of an activation`);
}

function checkDigest(tensor: Tensor | null, digest: number | null, what: string): void {
  if (tensor === null || digest === null || digestOf(tensor.data) === digest) return;
  throw new RangeError(
    `${what} was changed between forward and backward, found by the checked mode; ` +
      'backward needs it as it was',
  );
}
