/** Finds the modules that this Node needs to run a TypeScript script. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/** Extensions of files whose types Node strips, from 22.18 on. */
const STRIPPED = ['.ts', '.mts', '.cts'];
/** Extensions that only tsx can read. */
const TRANSFORMED = ['.tsx', '.jsx'];

/** URLs of tsx's modules. */
export interface Tsx {
  /** URL for a process's `--import`. */
  readonly loader: string;
  /** URLs that a thread must register: tsx's own `--import` works in main threads only. */
  readonly esm: string;
  readonly cjs: string;
}

/**
 * Finds the tsx that runs `script`, or null if it needs none. An installed tsx is used even if Node
 * reads TypeScript itself, since Node only strips types: no `enum`, and no './util.js' for util.ts.
 * Looked up from the script's folder, from the current folder, and from this package if nothing
 * else helps.
 * @throws Error with the command that installs tsx, if it is needed and missing
 */
export function findTsx(script: URL): Tsx | null {
  const extension = extname(script.pathname);
  const native = STRIPPED.includes(extension) && readsTypes();
  if (![...STRIPPED, ...TRANSFORMED].includes(extension)) return null;
  const folders = [script, pathToFileURL(`${process.cwd()}/`)];
  for (const base of native ? folders : [...folders, new URL(import.meta.url)]) {
    const found = resolveTsx(base);
    if (found !== null) return found;
  }
  if (native) return null;
  throw new Error(
    `${fileURLToPath(script)} is TypeScript, which Node ${process.version} runs only with tsx, ` +
      'and tsx is not installed here; install it with: npm install --save-dev tsx',
  );
}

/** True if this Node, Deno or Bun reads TypeScript itself. */
function readsTypes(): boolean {
  const { features, versions } = process as NodeJS.Process & { features: { typescript?: unknown } };
  return Boolean(features.typescript) || 'deno' in versions || 'bun' in versions;
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
