/**
 * Code that few programs need. `init` loads all of it, except in bundles for browsers: there the
 * program asks for it, by `import 'syncbn/float64'` and the like (src/features/).
 */

/** Names of the entry points, and their descriptions in errors. */
const FEATURES = {
  float64: 'the kernels of float64',
  float16: 'the kernels of float16',
  bfloat16: 'the kernels of bfloat16',
  masks: 'the code for masks',
  tail: 'the code for add and activation',
  reproducible: 'the code for reproducible sums',
  checked: 'the checked mode',
};

export type Feature = keyof typeof FEATURES;

const there = new Set<Feature>();
const loads: (() => Promise<unknown>)[] = [];

/** Makes `init` load a module; src/features/all.ts calls it. */
export function loadAtInit(load: () => Promise<unknown>): void {
  loads.push(load);
}

/** Loads all modules of {@link loadAtInit}. */
export async function loadFeatures(): Promise<void> {
  await Promise.all(loads.map((load) => load()));
}

/** Place for a module of a feature. */
export interface Slot<T> {
  /** Returns the module. @throws Error if it is not loaded */
  (): T;
  ifThere(): T | undefined;
  /** Called by the feature's file in src/features/. */
  fill(module: T): void;
}

/** A place that the file of `feature` fills. */
export function slotFor<T>(feature: Feature): Slot<T> {
  let module: T | undefined;
  const get = () => {
    if (module === undefined) throw missing(feature, 'syncbn');
    return module;
  };
  const fill = (filling: T) => {
    module = filling;
    there.add(feature);
  };
  return Object.assign(get, { ifThere: () => module, fill });
}

/** @throws Error, with the remedy, if the feature is not loaded and `init` loads none */
export function needFeature(feature: Feature, caller: string): void {
  if (loads.length === 0 && !there.has(feature)) throw missing(feature, caller);
}

function missing(feature: Feature, caller: string): Error {
  return new Error(
    loads.length > 0
      ? `${caller}: syncbn is not initialized: await init() first`
      : `${caller}: ${FEATURES[feature]} must be asked for in bundles for browsers: ` +
          `import 'syncbn/${feature}' in this script`,
  );
}
