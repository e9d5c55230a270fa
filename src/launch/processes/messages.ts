/** What hosts and the hub (the host with node rank 0) tell one another. */

import type { Failure } from './errors.js';

export type Keys = Readonly<Record<string, string>>;

/** What a host says first. */
export interface Join {
  /** -1: the hub gives it one, in the order of arrival. */
  readonly nodeRank: number;
  readonly localWorkers: number;
  readonly workers: number;
}

/** Who is in the world: hosts in the order of their node ranks, and the receiver's place. */
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
  /** Ends the line after what was sent has gone out. */
  close(): Promise<void>;
}

/** What comes in on a channel. */
export interface Listener {
  receive(message: Message): void;
  /** The line is gone; `why` says how. Nothing comes after. */
  lost(why: string): void;
}

const isCount = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) >= 0;

const isKeys = (value: unknown): value is Keys =>
  typeof value === 'object' &&
  value !== null &&
  Object.values(value).every((text) => typeof text === 'string');

function isFailure(value: unknown): value is Failure {
  const { text, exitCode, rank, output } = (value ?? {}) as Partial<Failure>;
  if (typeof text !== 'string' || typeof output !== 'string') return false;
  return isCount(exitCode) && (rank === null || isCount(rank));
}

function isJoin(value: unknown): value is Join {
  const { nodeRank, localWorkers, workers } = (value ?? {}) as Partial<Join>;
  return (nodeRank === -1 || isCount(nodeRank)) && isCount(localWorkers) && isCount(workers);
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
