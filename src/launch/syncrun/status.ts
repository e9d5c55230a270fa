/** `syncrun --status`: the jobs that write their logs to a folder, and where their ranks stand. */

import { statSync, writeFileSync } from 'node:fs';
import { analyze, readRecord } from './analyze.js';
import { type Job, runningJobs } from './job-file.js';
import { recordsIn, requestIn } from './logs.js';

/** Milliseconds that ranks have to write their records, and between looks for them. */
const ANSWER_MS = 2500;
const LOOK_MS = 50;

/**
 * Lines about the jobs of this host.
 * @throws RangeError for a folder that is not there
 */
export async function statusOfJobs(folder: string): Promise<string> {
  let jobs: Job[];
  try {
    jobs = runningJobs(folder);
  } catch (cause) {
    throw new RangeError(`--log_dir: ${(cause as Error).message}`, { cause });
  }
  if (jobs.length === 0) return `no job of this host writes its logs to ${folder}\n`;
  const texts = await Promise.all(jobs.map((job) => statusOf(folder, job)));
  return texts.join('');
}

async function statusOf(folder: string, { pid, script, logName }: Job): Promise<string> {
  const request = requestIn(folder, logName);
  writeFileSync(request, '');
  const asked = statSync(request).mtimeMs;
  const fresh = () => recordsIn(folder, logName).filter((path) => statSync(path).mtimeMs >= asked);
  const limit = performance.now() + ANSWER_MS;
  // Each record tells the number of ranks.
  const isWhole = () => {
    const [first] = fresh();
    return first !== undefined && fresh().length === readRecord(first).size;
  };
  while (!isWhole() && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const records = fresh().map(readRecord);
  const where = records.length === 0 ? 'no rank has said where it stands\n' : analyze(records);
  return `process ${pid} runs ${script}\n${where}`;
}
