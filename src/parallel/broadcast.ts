/** Copies the root's parameters, and running statistics, to every rank. */

import { checkOptionNames } from '../core/options.js';
import { listOf, Parameter } from '../core/parameter.js';
import type { Tensor } from '../core/tensor.js';
import { checkBlocking, type Pass } from '../group/pass.js';
import type { ProcessGroup } from '../group/process-group.js';
import { tellingPeers } from '../group/tell-peers.js';
import type { GroupLike } from '../group/world.js';
import { listsOf } from './lists.js';
import { describeTargets, type GradientHolder, type Target, targetOf } from './targets.js';

/** Something with parameters and buffers, such as a layer. */
export interface StateHolder {
  readonly label: string;
  /** Its tensors themselves, not copies, by name. */
  stateTensors(): Readonly<Record<string, Tensor>>;
}

export interface BroadcastParametersOptions {
  /** Ranks that take part. Default: the world. */
  group?: GroupLike;
  /** Group rank that sends. Default 0. */
  root?: number;
}

const BROADCAST = 'broadcastParameters';

/** Sends the root's parameters. */
export function broadcastPass(
  holders: Iterable<GradientHolder | StateHolder>,
  options: BroadcastParametersOptions,
  group: ProcessGroup,
  blocking: boolean,
): Pass<void> {
  const check = () => {
    if (blocking) checkBlocking(group, '', BROADCAST);
    checkOptionNames(options, ['group', 'root'], BROADCAST);
    const { root = 0 } = options;
    group.checkRoot(root, BROADCAST);
    return { root, targets: listOf(holders, BROADCAST).flatMap(valuesOf) };
  };
  const { root, targets } = tellingPeers(() => group, BROADCAST, '', check);
  const label = `${BROADCAST} of ${describeTargets(targets)}`;
  const lists = listsOf(targets);
  const step = () => {
    const list = lists.shift();
    return list === undefined ? null : group.broadcastList(list, list.like, { root, label });
  };
  return { step, result: undefined };
}

/** Lists the values of a parameter, an array, or a whole layer. */
function valuesOf(holder: GradientHolder | StateHolder): Target[] {
  if (holder instanceof Parameter) return [targetOf(holder.data, holder.name, BROADCAST)];
  if (typeof (holder as Partial<StateHolder> | null)?.stateTensors !== 'function') {
    return [targetOf(holder as Tensor, '', BROADCAST)];
  }
  const { label } = holder as StateHolder;
  return Object.entries((holder as StateHolder).stateTensors()).map(([name, tensor]) =>
    targetOf(tensor, `${label} ${name}`, BROADCAST),
  );
}
