/** Code that few programs need, or none before `init`: it is loaded apart, and `init` waits for it. */

const loads: (() => Promise<unknown>)[] = [];

/**
 * A module that `init` loads; call this once for a module, where it is used.
 * @param load `() => import('./module.js')`
 * @returns what returns the module; it throws before `init`
 */
export function loadedAtInit<T>(load: () => Promise<T>): () => T {
  let loaded: T | undefined;
  loads.push(async () => {
    loaded ??= await load();
  });
  return () => {
    if (loaded === undefined) throw new Error('syncbn is not initialized: await init() first');
    return loaded;
  };
}

/** All of it is loaded. */
export async function ready(): Promise<void> {
  await Promise.all(loads.map((load) => load()));
}
