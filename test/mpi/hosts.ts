/** Hosts' parts of a launch in this process, which meet at a loopback address. */

import { createServer } from 'node:net';
import {
  type LaunchError,
  launchProcesses,
  type ProcessLaunchOptions,
} from '../../src/launch/processes/index.js';
import { rankProgram } from './run.js';

export const SECRET = 'a secret of the test, not of use';

export interface HostEnd {
  readonly error: LaunchError | null;
  readonly output: string;
  readonly notes: readonly string[];
}

/** A port that nobody uses now. */
export function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Starts one host's part of a launch, of four ranks on two hosts unless `options` differ. */
export async function startHost(
  port: number,
  options: Partial<ProcessLaunchOptions>,
): Promise<HostEnd> {
  let output = '';
  const notes: string[] = [];
  const launched = launchProcesses({
    script: rankProgram('mpi-contract'),
    workerNum: 4,
    localWorkerNum: 2,
    masterPort: port,
    secret: SECRET,
    clusterTimeOut: 20,
    onOutput: (_rank, _stream, bytes) => {
      output += bytes;
    },
    onNote: (text) => notes.push(text),
    ...options,
  });
  const error = await launched.then(
    () => null,
    (reason: unknown) => reason as LaunchError,
  );
  return { error, output, notes };
}
