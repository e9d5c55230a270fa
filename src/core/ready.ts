/** Code that few programs need, or none before `init`: it is loaded apart, and `init` waits for it. */

/** Returns a module; throws before `init`. */
export interface Loaded<T> {
  (): T;
  /** Undefined before `init`. */
  ifThere(): T | undefined;
}

/** Modules that are loaded together, when somebody asks for them. */
export class Loads {
  readonly #loads: (() => Promise<void>)[] = [];

  /** @returns what returns the module, and undefined before it is loaded */
  add<T>(load: () => Promise<T>): () => T | undefined {
    let loaded: T | undefined;
    this.#loads.push(async () => {
      loaded ??= await load();
    });
    return () => loaded;
  }

  /** Loads all of them, and what the modules that were loaded add in their turn. */
  async all(): Promise<void> {
    for (let from = 0; from < this.#loads.length; ) {
      const news = this.#loads.slice(from);
      from = this.#loads.length;
      await Promise.all(news.map((load) => load()));
    }
  }
}

const atInit = new Loads();

/**
 * A module that `init` loads; call this once for a module, where it is used.
 * @param load `() => import('./module.js')`
 * @returns what returns the module; it throws before `init`
 */
export function loadedAtInit<T>(load: () => Promise<T>): Loaded<T> {
  const ifThere = atInit.add(load);
  const get = () => {
    const loaded = ifThere();
    if (loaded === undefined) throw new Error('syncbn is not initialized: await init() first');
    return loaded;
  };
  return Object.assign(get, { ifThere });
}

/** All that `init` loads is there afterwards. */
export function ready(): Promise<void> {
  return atInit.all();
}
