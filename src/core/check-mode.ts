/**
 * The checked mode: layers and averaging look for what has gone wrong in silence, at some cost.
 * On when the variable SYNCBN_CHECK is 1, or by `init({ check: true })`; on all ranks alike.
 */

interface Environment {
  readonly process?: { readonly env?: Readonly<Record<string, string | undefined>> };
}

let mode: boolean | null = null;

/** Whether the mode is on. */
export function isChecked(): boolean {
  mode ??= (globalThis as Environment).process?.env?.SYNCBN_CHECK === '1';
  return mode;
}

/** Turns the mode on or off; null: as SYNCBN_CHECK says. */
export function setChecked(flag: boolean | null): void {
  mode = flag;
}
