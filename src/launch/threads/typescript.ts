/** Finds what this Node needs in order to run a TypeScript script. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Extensions that Node strips of types by itself, from 22.18 on. */
const STRIPPED = ['.ts', '.mts', '.cts'];
/** Extensions that only tsx can read. */
const TRANSFORMED = ['.tsx', '.jsx'];

/** URLs of tsx's modules. */
export interface Tsx {
  /** What a process must `--import`. */
  readonly loader: string;
  /** What a thread must register: tsx's own `--import` works in main threads only. */
  readonly esm: string;
  readonly cjs: string;
}

/**
 * The tsx that runs `script`, or null when it needs none.
 * Looked up from the script's folder, from the current folder, and from this package.
 * @throws Error with the command that installs tsx, when it is needed and not there
 */
export function findTsx(script: URL): Tsx | null {
  const extension = extname(script.pathname);
  const native = Boolean((process.features as { typescript?: unknown }).typescript);
  if (STRIPPED.includes(extension) ? native : !TRANSFORMED.includes(extension)) return null;
  const current = pathToFileURL(`${process.cwd()}/`);
  for (const base of [script, current, new URL(import.meta.url)]) {
    const found = resolveTsx(base);
    if (found !== null) return found;
  }
  throw new Error(
    `${fileURLToPath(script)} is TypeScript, which Node ${process.version} runs only with tsx, ` +
      'and tsx is not installed here; install it with: npm install --save-dev tsx',
  );
}

/** `require.resolve` would give tsx's CommonJS twin of the API, which cannot register hooks. */
function resolveTsx(base: URL): Tsx | null {
  let manifest: string;
  try {
    manifest = createRequire(base).resolve('tsx/package.json');
  } catch {
    return null;
  }
  const { exports } = JSON.parse(readFileSync(manifest, 'utf8'));
  const urlOf = (entry: string) =>
    new URL(exports[entry].import?.default ?? exports[entry], pathToFileURL(manifest)).href;
  return { loader: urlOf('.'), esm: urlOf('./esm/api'), cjs: urlOf('./cjs/api') };
}
