/**
 * The checked mode: layers and averaging look for what has gone wrong in silence, at some cost.
 * On when the variable SYNCBN_CHECK is 1, or by `init({ check: true })`; on all ranks alike. Its
 * code is loaded by `init`, and only then.
 */

import { Loads } from './ready.js';
import { show } from './show.js';

interface Environment {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

let mode: boolean | null = null;

/** Whether the mode is on. */
function isChecked(): boolean {
  mode ??= (globalThis as Environment).process?.env?.SYNCBN_CHECK === '1';
  return mode;
}

const loads = new Loads();

/**
 * A module of the checked mode.
 * @param load `() => import('./module.js')`
 * @returns what returns the module, and null where the mode is off
 */
export function loadedWhenChecked<T>(load: () => Promise<T>): () => T | null {
  const ifThere = loads.add(load);
  return () => (isChecked() ? (ifThere() ?? null) : null);
}

/** @throws TypeError for anything but true, false and undefined */
export function checkFlag(check: unknown): void {
  if (check === undefined || typeof check === 'boolean') return;
  throw new TypeError(`init: check must be true or false, got ${show(check)}`);
}

/** Turns the mode on or off; undefined: as SYNCBN_CHECK says. Its code is there afterwards. */
export async function setChecked(flag: boolean | undefined): Promise<void> {
  mode = flag ?? null;
  if (isChecked()) await loads.all();
}
