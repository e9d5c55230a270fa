/** Code that few programs need, or none before `init`: it is loaded apart, and `init` waits for it. */

/** Returns a module; throws before `init`. */
export interface Loaded<T> {
  (): T;
  /** Undefined before `init`. */
  ifThere(): T | undefined;
}

const loads: (() => Promise<unknown>)[] = [];

/**
 * A module that `init` loads; call this once for a module, where it is used.
 * @param load `() => import('./module.js')`
 * @returns what returns the module; it throws before `init`
 */
export function loadedAtInit<T>(load: () => Promise<T>): Loaded<T> {
  let loaded: T | undefined;
  loads.push(async () => {
    loaded ??= await load();
  });
  const get = () => {
    if (loaded === undefined) throw new Error('syncbn is not initialized: await init() first');
    return loaded;
  };
  return Object.assign(get, { ifThere: () => loaded });
}

/** All of it is loaded, and what the modules that were loaded ask for in their turn. */
export async function ready(): Promise<void> {
  for (let from = 0; from < loads.length; ) {
    const news = loads.slice(from);
    from = loads.length;
    await Promise.all(news.map((load) => load()));
  }
}
