/** What differs between Node, Deno, Bun and browsers, behind one door. */

/** A built-in module of Node (Deno and Bun have them too), or null in a browser. */
export function builtin<T>(name: string): T | null {
  const runtime = (globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } })
    .process;
  return (runtime?.getBuiltinModule?.(name) as T | undefined) ?? null;
}

/** Cores that this process may use; 1 where nobody says. */
export function coreCount(): number {
  const os = builtin<typeof import('node:os')>('node:os');
  return os?.availableParallelism() ?? globalThis.navigator?.hardwareConcurrency ?? 1;
}
