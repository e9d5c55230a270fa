/** Facts that must be alike on all ranks. */

import { builtin } from '../core/platform.js';
import { launchFromEnvironment, loadKoffi } from '../group/mpi/index.js';
import { loadMpi } from '../group/mpi/library/library.js';
import type { ProcessGroup } from '../group/process-group.js';
import { currentKernels } from '../ops/kernels.js';

export type Facts = Readonly<Record<string, string>>;

/** Facts about this rank's platform. */
export async function ownFacts(version: string): Promise<Facts> {
  const { versions, platform, arch } = process;
  const runtime = ['bun', 'deno', 'node'].find((name) => name in versions) ?? 'unknown';
  const of = { runtime: `${runtime} ${versions[runtime]}`, v8: versions.v8 ?? '' };
  const machine = { platform: `${platform} ${arch}`, kernels: currentKernels().name };
  const library = await mpiVersion();
  return { syncbn: version, ...of, ...machine, ...(library && { 'MPI library': library }) };
}

/** The MPI library's version text; '' without one. */
async function mpiVersion(): Promise<string> {
  const launch = launchFromEnvironment(process.env);
  if (launch === null) return '';
  return loadMpi(await loadKoffi(), launch).version.replace(/\s+/g, ' ');
}

/** Every rank's facts, with its host. */
export function gatherFacts(world: ProcessGroup, own: Facts): Facts[] {
  const host = builtin<typeof import('node:os')>('node:os')?.hostname() ?? '';
  const bytes = new TextEncoder().encode(JSON.stringify({ ...own, host }));
  const all = world.allGather(bytes, { uneven: true }).wait();
  return all.map((each) => JSON.parse(new TextDecoder().decode(each)));
}

/** Returns lines about facts in which ranks differ from rank 0. */
export function differencesOf(facts: readonly Facts[]): string[] {
  const [first] = facts;
  const names = new Set(facts.flatMap((each) => Object.keys(each)));
  names.delete('host');
  return [...names].flatMap((name) => {
    const odd = [...facts.keys()].filter((rank) => facts[rank][name] !== first[name]);
    if (odd.length === 0) return [];
    const values = new Set(odd.map((rank) => quoted(facts[rank][name])));
    const ranks = ranksOf(odd, facts);
    return [`${name} differs: ${ranks} ${[...values].join(' or ')}, rank 0 ${quoted(first[name])}`];
  });
}

const quoted = (value: string | undefined) => (value === undefined ? 'none' : `'${value}'`);

/** 'rank 1, 2', with their hosts if there are several. */
export function ranksOf(ranks: readonly number[], facts: readonly Facts[]): string {
  const hosts = new Set(ranks.map((rank) => facts[rank].host));
  const several = facts.some(({ host }) => host !== facts[0].host);
  return `rank ${ranks.join(', ')}${several ? ` on ${[...hosts].join(', ')}` : ''}`;
}
