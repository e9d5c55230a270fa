/** Options of public calls: unknown options are an error, never ignored. */

import { suggestion } from './nearest.js';
import { show, showText } from './show.js';

/** @throws TypeError for options that are not an object, and for a name that `known` lacks */
export function checkOptionNames(options: unknown, known: readonly string[], caller: string): void {
  if (options === null || typeof options !== 'object') {
    throw new TypeError(`${caller}: options must be an object, got ${show(options)}`);
  }
  // Without a list of the names: this is on the path of every small pass.
  for (const name in options) if (!known.includes(name)) throw unknownOption(name, known, caller);
}

function unknownOption(name: string, known: readonly string[], caller: string): TypeError {
  const text = `${caller}: unknown option '${showText(name)}'; known are ${known.join(', ')}`;
  return new TypeError(text + suggestion(name, known));
}
