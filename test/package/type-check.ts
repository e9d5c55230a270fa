/** Compiles programs against the installed package, as strictly as TypeScript can. */

import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const STRICTEST = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  // The package's declarations are checked too; TypeScript's own are not.
  skipLibCheck: false,
  skipDefaultLibCheck: true,
  noEmit: true,
  target: 'es2022',
};

export interface Settings {
  module: 'nodenext' | 'esnext';
  moduleResolution: 'nodenext' | 'bundler';
  lib: readonly string[];
  types: readonly string[];
  skipLibCheck?: boolean;
}

/** A project that resolves modules as Node does, or as a bundler does. */
export const RESOLUTIONS = {
  NodeNext: { module: 'nodenext', moduleResolution: 'nodenext' },
  Bundler: { module: 'esnext', moduleResolution: 'bundler' },
} as const;

/** What TypeScript says of `files` (name to text) in a new folder of `project`; '' if nothing. */
export function typeCheck(
  project: string,
  folder: string,
  settings: Settings,
  files: Record<string, string>,
): string {
  const cwd = join(project, folder);
  mkdirSync(cwd);
  const config = { compilerOptions: { ...STRICTEST, ...settings }, files: Object.keys(files) };
  writeFileSync(join(cwd, 'tsconfig.json'), JSON.stringify(config));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const tsc = join(project, 'node_modules/typescript/bin/tsc');
  return spawnSync(process.execPath, [tsc, '--pretty', 'false'], { cwd, encoding: 'utf8' }).stdout;
}
