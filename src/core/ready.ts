/** What is loaded apart, and must be there before layers run: `init` waits for it. */

const loads: (() => Promise<unknown>)[] = [];

/** Has `init` wait for what `load` returns; called once for each `init`. */
export function loadAtInit(load: () => Promise<unknown>): void {
  loads.push(load);
}

/** All of it is loaded. */
export async function ready(): Promise<void> {
  await Promise.all(loads.map((load) => load()));
}
