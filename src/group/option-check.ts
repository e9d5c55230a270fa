/** The option `check` of `init`. */

import { setChecked } from '../core/check-mode.js';
import { show } from '../core/show.js';

/** @throws TypeError for anything but true, false and undefined */
export function checkFlag(check: unknown): void {
  if (check === undefined || typeof check === 'boolean') return;
  throw new TypeError(`init: check must be true or false, got ${show(check)}`);
}

/** Turns the checked mode on or off; undefined: as SYNCBN_CHECK says. */
export function applyCheck(check: boolean | undefined): void {
  setChecked(check ?? null);
}
