/** Messages between the hosts and the hub (the host with node rank 0). */

import type { Failure } from './errors.js';

/** Keys that ranks have put since the last barrier: pairs of key and value. */
export type Keys = readonly (readonly [string, string])[];

/** A host's first message. */
export interface Join {
  /** -1: the hub gives the host a node rank, in the order of arrival. */
  readonly nodeRank: number;
  readonly localWorkers: number;
  readonly workers: number;
  /** The job's name; without a name, its script and arguments. The same on all hosts. */
  readonly job: string;
}

/** The hosts of the world in the order of their node ranks, and the receiver's place. */
export interface Formation {
  readonly nodeRank: number;
  /** Ranks on each host. */
  readonly nodes: readonly number[];
}

export type Message =
  | { readonly type: 'join'; readonly join: Join }
  | { readonly type: 'world'; readonly formation: Formation }
  /** All ranks of the host have entered a barrier; or, from the hub, all ranks of all hosts. */
  | { readonly type: 'barrier'; readonly keys: Keys }
  | { readonly type: 'fail'; readonly failure: Failure }
  /** All ranks of the host have ended with exit code 0; or, from the hub, of all hosts. */
  | { readonly type: 'done' }
  | { readonly type: 'ping' };

/** A host's line to the hub, which may be in this process. */
export interface Channel {
  send(message: Message): void;
  /** Ends the line after all messages have gone out. */
  close(): Promise<void>;
}

/** Events of a channel. */
export interface Listener {
  receive(message: Message): void;
  /** The line is gone; `why` says how. Nothing comes after. */
  lost(why: string): void;
}

/** Characters of a text that another host may send. */
const MAX_TEXT = 1 << 16;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;
const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_TEXT;

const isKeys = (value: unknown): value is Keys =>
  Array.isArray(value) &&
  value.every((pair) => Array.isArray(pair) && pair.length === 2 && pair.every(isText));

function isFailure(value: unknown): value is Failure {
  const { text, exitCode, rank, output } = (value ?? {}) as Partial<Failure>;
  if (!isText(text) || !isText(output)) return false;
  // A failure never ends a launcher with status 0.
  const fails = isCount(exitCode) && exitCode >= 1 && exitCode <= 255;
  return fails && (rank === null || isCount(rank));
}

function isJoin(value: unknown): value is Join {
  const { nodeRank, localWorkers, workers, job } = (value ?? {}) as Partial<Join>;
  const counts = isCount(localWorkers) && localWorkers > 0 && isCount(workers);
  return counts && (nodeRank === -1 || isCount(nodeRank)) && isText(job);
}

function isFormation(value: unknown): value is Formation {
  const { nodeRank, nodes } = (value ?? {}) as Partial<Formation>;
  return isCount(nodeRank) && Array.isArray(nodes) && nodes.every(isCount);
}

/** @throws SyntaxError unless `text` is a message in full */
export function parseMessage(text: string): Message {
  const value = JSON.parse(text) as Record<string, unknown> | null;
  const known =
    value?.type === 'ping' ||
    value?.type === 'done' ||
    (value?.type === 'join' && isJoin(value.join)) ||
    (value?.type === 'world' && isFormation(value.formation)) ||
    (value?.type === 'barrier' && isKeys(value.keys)) ||
    (value?.type === 'fail' && isFailure(value.failure));
  if (!known) throw new SyntaxError('not a message of this protocol');
  return value as unknown as Message;
}
