/**
 * The script of `syncrun --check`: every rank runs it, and rank 0 reports. Argument: the package's
 * version.
 */

import '../features/all.js';
import { findGroup, init } from '../group/world.js';
import { checkLayer, checkPairs } from './checks.js';
import { differencesOf, gatherFacts, ownFacts } from './facts.js';
import { measure, type Row, slowRanks } from './measure.js';

await init({ timeout: 60 });
const world = findGroup(null, 'check');
const facts = gatherFacts(world, await ownFacts(process.argv[2] ?? ''));
const own = [...checkPairs(world), ...checkLayer(world)];
const problems = [...differencesOf(facts), ...own];
const slow = slowRanks(world, facts);
const rows = measure(world);
const [worst] = world.allReduce(Float64Array.of(problems.length), { op: 'max' }).wait();

if (world.rank === 0) console.log(report(rows));
// A rank that shares its core is slow, but not wrong.
if (world.rank === 0) for (const line of slow) console.log(`SLOW: ${line}`);
if (world.rank === 0 || own.length > 0) for (const line of problems) console.log(`WRONG: ${line}`);
if (worst === 0 && world.rank === 0) console.log('all is well');
process.exitCode = worst === 0 ? 0 : 1;

function report(rows: readonly Row[]): string {
  const { host: _, ...alike } = facts[0];
  const hosts = new Set(facts.map(({ host }) => host));
  const head = `${world.size} ranks on ${hosts.size} host${hosts.size === 1 ? '' : 's'} (${[...hosts].join(', ')})`;
  const about = Object.entries(alike).map(([name, value]) => `${name} ${value}`);
  const table = rows.map(({ length, microseconds, megabytes }) =>
    [
      String(length).padStart(9),
      microseconds.toFixed(1).padStart(12),
      megabytes.toFixed(0).padStart(9),
    ].join(' '),
  );
  return [head, about.join(', '), ' float64s  all-reduce µs      MB/s', ...table].join('\n');
}
