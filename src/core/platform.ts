/** Differences between Node, Deno, Bun and browsers, in one place. */

/** A built-in module of Node (Deno and Bun have them too), or null in a browser. */
export function builtin<T>(name: string): T | null {
  const runtime = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } })
    .process;
  return (runtime?.getBuiltinModule?.(name) as T | undefined) ?? null;
}

/** Left by a launcher for `init` in a rank's thread. */
export interface LaunchedRank {
  /** Handle of the world to join. */
  readonly world: unknown;
  /** Tells the launcher that the rank joins it. */
  joined(): void;
}

/** All copies of this package that the script may load find it, on every runtime. */
const LAUNCHED = Symbol.for('syncbn.launched');

/** Leaves `rank` for `init`, before the script is loaded. */
export function setLaunchedRank(rank: LaunchedRank): void {
  Object.defineProperty(globalThis, LAUNCHED, { value: rank });
}

export function launchedRank(): LaunchedRank | null {
  return (globalThis as { [LAUNCHED]?: LaunchedRank })[LAUNCHED] ?? null;
}

/** Cores that this process may use; 1 if unknown. */
export function coreCount(): number {
  const os = builtin<typeof import('node:os')>('node:os');
  return os?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}
