/** What must come of a kill: the true status, and the victim by name. */

import { constants } from 'node:os';
import { DEADLINE, type Ended, isMpi, type Kind, RANKS, START, type World } from './worlds.js';

/**
 * Milliseconds until no process may be left, once the failure can be seen. Open MPI's mpirun takes
 * up to two seconds of its own: one before it asks the ranks to end, and one before it kills them.
 */
export const limitOf = (kind: Kind) => (kind === 'openmpi' ? 2500 : 2000);

export interface Kill {
  readonly signal: NodeJS.Signals;
  /** The rank that was hit; null: a launcher. */
  readonly rank: number | null;
  /** Index of the launcher that was hit, or that has started the rank. */
  readonly host: number;
  /** Ranks that had joined, and whether any ran, at that moment. */
  readonly joined: number;
  readonly running: boolean;
}

/** Milliseconds until the failure can be seen. */
export function seenAfter(world: World, { signal, joined, running }: Kill): number {
  // What stands still is found by a deadline alone: that of a collective, or of the start.
  if (signal === 'SIGSTOP') return 1000 * (joined === RANKS ? DEADLINE : START + DEADLINE);
  // A host that has not met the one that was killed waits for it as long as it may, once it is up.
  return world.kind === 'hosts' && !running ? 2000 * START : 0;
}

/** What is wrong with how the launchers ended; null when nothing is. */
export function judge(world: World, kill: Kill, ends: readonly Ended[]): string | null {
  const { signal, rank, host } = kill;
  const done = world.count('done') === RANKS;
  const own = !isMpi(world.kind);
  const status = 128 + constants.signals[signal];
  const codes = ends.map(({ code, signal: by }) => code ?? by);
  const told = `ended with ${codes.join(' and ')}`;
  if (codes.every((code) => code === 0)) return done ? null : `${told}, and not all ranks are done`;
  if (rank === null) {
    const { code, signal: by } = ends[host];
    // Before its handlers are in place, the signal itself ends it.
    const hit = by === signal || (signal !== 'SIGKILL' && (own ? code === status : code !== 0));
    const others = codes.filter((_, i) => i !== host);
    // Others that are done need it no more.
    const told130 = others.every((other) => other === 1 || other === 130 || (done && other === 0));
    return hit && told130 ? null : told;
  }
  if (codes.some((code) => code === 0 && !done)) return told;
  if (own) {
    const expected = signal === 'SIGSTOP' ? [1] : [status];
    const wrong = codes.find((code) => !expected.includes(code as number));
    if (wrong !== undefined) return `${told}, not ${expected.join()}`;
  }
  if (!own && signal !== 'SIGSTOP' && codes[0] === null) return told;
  return names(world, kill) ? null : `rank ${rank} is not named`;
}

/** Whether the words on standard error blame the victim; mpiexec.mpich never names a rank. */
function names({ kind, stderr }: World, { rank, signal }: Kill): boolean {
  if (kind === 'mpich' && signal !== 'SIGSTOP') return true;
  return new RegExp(`\\brank ${rank}\\b`).test(stderr);
}
