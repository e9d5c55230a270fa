/**
 * The checked mode: layers and averaging look for silent mistakes, at some cost. On when the
 * variable SYNCBN_CHECK is 1, or by `init({ check: true })`; on all ranks alike.
 */

import { checkType } from './checks.js';
import { needFeature, type Slot, slotFor } from './features.js';

interface Environment {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

let mode: boolean | null = null;
let load: (() => Promise<unknown>) | null = null;

/** True if the mode is on. */
function isChecked(): boolean {
  mode ??= (globalThis as Environment).process?.env?.SYNCBN_CHECK === '1';
  return mode;
}

/** Makes `init` load a module if the mode is on. */
export function loadWhenChecked(loadChecks: () => Promise<unknown>): void {
  load = loadChecks;
}

/** Makes a place for a module of the checked mode, which yields null while the mode is off. */
export function slotWhenChecked<T>(): Pick<Slot<T>, 'fill'> & (() => T | null) {
  const { ifThere, fill } = slotFor<T>('checked');
  return Object.assign(() => (isChecked() ? (ifThere() ?? null) : null), { fill });
}

/** @throws TypeError for anything but true, false and undefined */
export function checkFlag(check: unknown): void {
  if (check !== undefined) checkType(check, 'boolean', 'init: check');
}

/** Turns the mode on or off; undefined: as SYNCBN_CHECK says. Its code is loaded afterwards. */
export async function setChecked(flag: boolean | undefined): Promise<void> {
  mode = flag ?? null;
  if (!isChecked()) return;
  await load?.();
  needFeature('checked', 'init');
}
