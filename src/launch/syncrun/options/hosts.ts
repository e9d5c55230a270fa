/** The options of `syncrun` that say who the ranks are, on which hosts, and how these meet. */

import { isIP } from 'node:net';
import { resolve } from 'node:path';
import { suggestion } from './nearest.js';
import { OPTIONS, type OptionName } from './table.js';
import { boolean, type Given, integer } from './values.js';

/** What ranks that are processes need besides. */
export interface ProcessSettings {
  /** Ranks on all hosts. */
  readonly workerNum: number;
  /** Ranks on this host. */
  readonly localWorkerNum: number;
  readonly masterAddr: string;
  readonly masterPort: number;
  /** -1: the hosts find out. */
  readonly nodeRank: number;
  /** Absolute path; null: the secret is in the environment. */
  readonly secretFile: string | null;
  readonly bindCore: boolean;
}

const LAUNCHERS = ['threads', 'processes'] as const;
const HOST_NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i;

/** @throws RangeError for any value that is wrong */
export function hostsOf(given: Given): ProcessSettings {
  const text = (name: OptionName) => given[name] ?? OPTIONS[name].default;
  const masterAddr = addressOf(text('master_addr'));
  const masterPort = portOf(text('master_port'));
  const nodeRank = integer('node_rank', text('node_rank'), -1);
  const counts = countRanks(given, nodeRank);
  const file = text('secret_file');
  return {
    ...counts,
    masterAddr,
    masterPort,
    nodeRank,
    secretFile: file === '' ? null : resolve(file),
    bindCore: boolean('bind_core', text('bind_core')),
  };
}

/** Several hosts can only have processes. @throws RangeError for threads there */
export function launcherOf(text: string, hosts: ProcessSettings): 'threads' | 'processes' {
  const several = hosts.localWorkerNum < hosts.workerNum;
  const launcher = text === '' ? (several ? 'processes' : 'threads') : text;
  if (launcher !== 'threads' && launcher !== 'processes') {
    const meant = suggestion(text, [...LAUNCHERS]);
    throw new RangeError(`--launcher must be threads or processes, got '${text}'${meant}`);
  }
  if (several && launcher === 'threads') {
    throw new RangeError(
      `--launcher=threads has all ranks on one host, and --worker_num=${hosts.workerNum} ` +
        `--local_worker_num=${hosts.localWorkerNum} means several; use --launcher=processes`,
    );
  }
  return launcher;
}

function countRanks(
  { worker_num: all, local_worker_num: local }: Given,
  nodeRank: number,
): { workerNum: number; localWorkerNum: number } {
  const workerNum = integer('worker_num', all ?? local ?? OPTIONS.worker_num.default, 1);
  const localWorkerNum = integer('local_worker_num', local ?? String(workerNum), 1);
  if (localWorkerNum > workerNum) {
    throw new RangeError(
      `--local_worker_num must be at most --worker_num, which is ${workerNum}, got ${localWorkerNum}`,
    );
  }
  if (nodeRank > workerNum - localWorkerNum) {
    throw new RangeError(
      `--node_rank=${nodeRank} means another host before this one, and --worker_num=${workerNum} ` +
        `--local_worker_num=${localWorkerNum} leaves ${workerNum - localWorkerNum} ranks for others`,
    );
  }
  return { workerNum, localWorkerNum };
}

function addressOf(text: string): string {
  const address = text.replace(/^\[(.*)\]$/, '$1');
  // One host meets nobody, but a mistake should show before the second host is added.
  if (isIP(address) === 0 && !HOST_NAME.test(address)) {
    throw new RangeError(`--master_addr must be a host's name or address, got '${text}'`);
  }
  return address;
}

function portOf(text: string): number {
  const port = integer('master_port', text, 1);
  if (port > 65535) {
    throw new RangeError(`--master_port must be an integer from 1 to 65535, got ${port}`);
  }
  return port;
}
