/** What must be alike on all ranks. */

import { builtin } from '../core/platform.js';
import type { ProcessGroup } from '../group/process-group.js';

/** Bytes that a rank's facts may take. */
const ROOM = 2048;

export type Facts = Readonly<Record<string, string>>;

/** What this rank runs on. */
export function ownFacts(version: string): Facts {
  const { versions, platform, arch, env } = process;
  const simd = WebAssembly.validate(SIMD) ? 'yes' : 'no';
  const library = env.SYNCBN_MPI_LIBRARY ?? '';
  const runtime = ['bun', 'deno', 'node'].find((name) => name in versions) ?? 'unknown';
  const of = { runtime: `${runtime} ${versions[runtime]}`, v8: versions.v8 ?? '' };
  const machine = { platform: `${platform} ${arch}`, 'WebAssembly SIMD': simd };
  return { syncbn: version, ...of, ...machine, ...(library && { 'MPI library': library }) };
}

/** The least module with an instruction of SIMD. */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0],
  ...[253, 15, 253, 98, 11],
);

/** Every rank's facts, with its host. */
export function gatherFacts(world: ProcessGroup, own: Facts): Facts[] {
  const host = builtin<typeof import('node:os')>('node:os')?.hostname() ?? '';
  const bytes = new TextEncoder().encode(JSON.stringify({ ...own, host })).subarray(0, ROOM);
  const words = new Int32Array(ROOM / 4);
  new Uint8Array(words.buffer).set(bytes);
  const all = new Uint8Array(world.allGather(words).wait().buffer.slice(0));
  return Array.from({ length: world.size }, (_, rank) => {
    const text = new TextDecoder().decode(all.slice(rank * ROOM, (rank + 1) * ROOM));
    return JSON.parse(text.replace(/\0.*$/s, '')) as Facts;
  });
}

/** Lines about facts in which ranks differ from rank 0. */
export function differencesOf(facts: readonly Facts[]): string[] {
  const [first] = facts;
  return Object.keys(first)
    .filter((name) => name !== 'host')
    .flatMap((name) => {
      const odd = [...facts.keys()].filter((rank) => facts[rank][name] !== first[name]);
      if (odd.length === 0) return [];
      const values = new Set(odd.map((rank) => `'${facts[rank][name]}'`));
      return [
        `${name} differs: rank ${odd.join(', ')} ${[...values].join(' or ')}, rank 0 '${first[name]}'`,
      ];
    });
}
