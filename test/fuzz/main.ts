/**
 * Calls every public function with odd arguments.
 *
 *     npm run fuzz -- --runs 1000000 --seed 1
 */

import { Command, InvalidArgumentError } from 'commander';
import { init } from 'syncbn';
import { CALLS } from './calls.js';
import { fuzzCall } from './fuzz.js';
import { watch } from './watchdog.js';

function count(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new InvalidArgumentError('It must be an integer of 0 or more.');
  }
  return value;
}

const options = new Command('fuzz')
  .description('Odd arguments for every public call.')
  .option('--runs <n>', 'calls in all', count, 100_000)
  .option('--seed <n>', 'seed of the arguments', count, 1)
  .option('--call <name>', 'only calls whose name holds this', '')
  .parse()
  .opts<{ runs: number; seed: number; call: string }>();

await init();
const calls = CALLS.filter(({ name }) => name.includes(options.call));
const each = Math.ceil(options.runs / calls.length);
const start = performance.now();
const onRun = watch(calls.map(({ name }) => name));
let faults = 0;
let runs = 0;
for (const [place, call] of calls.entries()) {
  const own = Math.ceil(each * (call.share ?? 1));
  runs += own;
  const finding = await fuzzCall(call, own, options.seed, () => onRun(place));
  if (finding === null) continue;
  faults++;
  console.log(`${finding.call}(${finding.args})\n    ${finding.wrong}`);
}
const seconds = ((performance.now() - start) / 1000).toFixed(1);
const memory = Math.round(process.memoryUsage().rss / 2 ** 20);
console.log(`${calls.length} calls, ${runs} runs in ${seconds} s, ${memory} MiB: ${faults} faults`);
process.exitCode = faults === 0 ? 0 : 1;
