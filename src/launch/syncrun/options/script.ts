/** The script that every rank runs. */

import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, extname, resolve } from 'node:path';
import { suggestion } from '../../../core/nearest.js';

const EXTENSIONS = ['.js', '.mjs', '.cjs', '.ts', '.mts', '.cts', '.tsx', '.jsx'];

/** Absolute path of `script`. @throws RangeError when it is not a script, or not there */
export function findScript(script: string): string {
  if (script === '') throw new RangeError('the script must not be an empty word');
  const path = resolve(script);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) {
    const meant = suggestion(basename(path), scriptsIn(dirname(path)));
    throw new RangeError(`there is no script '${script}'${meant}`);
  }
  if (!stats.isFile()) throw new RangeError(`the script must be a file, and '${script}' is not`);
  const extension = extname(path);
  if (extension !== '' && !EXTENSIONS.includes(extension)) {
    throw new RangeError(
      `the script must be JavaScript or TypeScript (${EXTENSIONS.join(' ')}), got '${script}'`,
    );
  }
  return path;
}

function scriptsIn(folder: string): string[] {
  try {
    return readdirSync(folder).filter((name) => EXTENSIONS.includes(extname(name)));
  } catch {
    return [];
  }
}
