/** The settings of `syncrun`: checks its options together before anything starts. */

import { findScript } from './script.js';
import { type Given, type Values, valuesOf } from './table.js';

/** Further settings of ranks that are processes. */
export interface ProcessSettings {
  /** Ranks on this host. */
  readonly localWorkerNum: number;
  readonly masterAddr: string;
  readonly masterPort: number;
  /** -1: the hosts find out. */
  readonly nodeRank: number;
  /** Absolute path; null: the secret is in the environment. */
  readonly secretFile: string | null;
  readonly bindCore: boolean;
  /** Name that the hosts compare; empty: script and arguments. */
  readonly jobName: string;
}

/** A run of `syncrun`; survives JSON, in which the background process gets it. */
export interface Settings {
  /** Absolute path. */
  readonly script: string;
  readonly args: readonly string[];
  /** Ranks on all hosts. */
  readonly workerNum: number;
  /** Settings of ranks that are processes; null: the ranks are threads. */
  readonly processes: ProcessSettings | null;
  readonly join: boolean;
  /** Absolute path. */
  readonly logDir: string;
  readonly logName: string;
  /** Seconds; negative: forever. */
  readonly clusterTimeOut: number;
  /** Ranks whose output also goes to the console. */
  readonly tail: readonly number[];
  /** If true, the console shows the rank that a line comes from. */
  readonly rankPrefix: boolean;
  /** Seconds that ranks have after they were asked to end. */
  readonly grace: number;
}

/** @throws RangeError that names the option, its rule and the value */
export function settingsOf(given: Given, script: string, args: readonly string[]): Settings {
  const values = valuesOf(given);
  const counts = countRanks(given, values);
  const { workerNum } = counts;
  return {
    script: findScript(script),
    args,
    workerNum,
    processes: processesOf(values, counts),
    join: values.join,
    logDir: values.log_dir,
    logName: values.worker_log_name,
    clusterTimeOut: values.cluster_time_out,
    tail: tailOf(values, workerNum),
    rankPrefix: values.rank_prefix,
    grace: values.grace,
  };
}

interface Counts {
  readonly workerNum: number;
  readonly localWorkerNum: number;
}

/** One of the two counts alone sets both. */
function countRanks(given: Given, values: Values): Counts {
  const onlyLocal = given.worker_num === undefined && given.local_worker_num !== undefined;
  const workerNum = onlyLocal ? values.local_worker_num : values.worker_num;
  const localWorkerNum = given.local_worker_num === undefined ? workerNum : values.local_worker_num;
  if (localWorkerNum > workerNum) {
    throw new RangeError(
      `--local_worker_num must be at most --worker_num, which is ${workerNum}, got ${localWorkerNum}`,
    );
  }
  if (values.node_rank > workerNum - localWorkerNum) {
    throw new RangeError(
      `--node_rank=${values.node_rank} means another host before this one, and --worker_num=${workerNum} ` +
        `--local_worker_num=${localWorkerNum} leaves ${workerNum - localWorkerNum} ranks for others`,
    );
  }
  return { workerNum, localWorkerNum };
}

/** Null for threads. Several hosts can only have processes. */
function processesOf(
  values: Values,
  { workerNum, localWorkerNum }: Counts,
): ProcessSettings | null {
  const several = localWorkerNum < workerNum;
  const launcher = values.launcher ?? (several ? 'processes' : 'threads');
  if (several && launcher === 'threads') {
    throw new RangeError(
      `--launcher=threads has all ranks on one host, and --worker_num=${workerNum} ` +
        `--local_worker_num=${localWorkerNum} means several; use --launcher=processes`,
    );
  }
  if (launcher === 'threads') {
    if (!values.bind_core) return null;
    throw new RangeError(
      '--bind_core=True is not possible with threads, which Node cannot pin to cores; use ' +
        '--launcher=processes, or limit all of them together: taskset -c 0-3 syncrun ...',
    );
  }
  return {
    localWorkerNum,
    masterAddr: values.master_addr,
    masterPort: values.master_port,
    nodeRank: values.node_rank,
    secretFile: values.secret_file,
    bindCore: values.bind_core,
    jobName: values.job_name,
  };
}

function tailOf({ tail_worker_log: tail }: Values, ranks: number): readonly number[] {
  if (tail === null) return Array.from({ length: ranks }, (_, rank) => rank);
  const outside = tail.find((rank) => rank >= ranks);
  if (outside === undefined) return tail;
  throw new RangeError(
    `--tail_worker_log names rank ${outside}, and the ranks are 0 to ${ranks - 1}`,
  );
}
