/** The same arrays on every rank. */

import { type numpy as np, tree } from '@jax-js/jax';
import { checkOptionNames } from '../../core/options.js';
import type { Work } from '../../group/transport.js';
import { findGroup, type GroupLike } from '../../group/world.js';
import { drive, result, type Steps } from '../shared/drive.js';
import { checkFloat32, checkTree } from './checks.js';
import { flatten, unflatten } from './flat.js';
import { call, Held } from './held.js';
import { read } from './read.js';
import type { Tree } from './stage.js';

export interface BroadcastTreeOptions {
  /** Ranks that take part. Default: the world. */
  group?: GroupLike;
  /** Group rank whose arrays all ranks get. Default 0. */
  root?: number;
}

/**
 * Gives every rank of the group the root's arrays, so that all start training alike. Every rank of
 * the group calls it with float32 arrays of the same shapes.
 * @param arrays consumed
 * @returns new arrays in the same form; either wait for them or await them
 * @throws RangeError for a root that is not in the group
 */
export function broadcastTree<T extends Tree>(
  arrays: T,
  options: BroadcastTreeOptions = {},
): Work<T> {
  checkOptionNames(options, ['group', 'root'], 'broadcastTree');
  checkTree(arrays, 'broadcastTree: expected');
  return drive(broadcastSteps(arrays, options));
}

function* broadcastSteps<T extends Tree>(
  arrays: T,
  { group, root = 0 }: BroadcastTreeOptions,
): Steps<T> {
  const held = new Held();
  held.hold(arrays);
  try {
    const ranks = findGroup(group, 'broadcastTree');
    ranks.checkRoot(root, 'broadcastTree');
    checkFloat32(arrays, 'broadcastTree: expected');
    if (tree.leaves<np.Array>(arrays).length === 0) return held.release(arrays);
    const values = yield* read(call(flatten, arrays));
    yield* result(ranks.broadcast(values, { root, label: 'broadcastTree' }));
    return unflatten(values, arrays);
  } finally {
    held.dispose();
  }
}
