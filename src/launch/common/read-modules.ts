/**
 * Program: reads a script and the ES modules that it imports by relative paths, so that Node prints
 * the first syntax error with its place. Arguments: the script. Needs --experimental-vm-modules.
 */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import * as vm from 'node:vm';

/** The part of `vm.SourceTextModule` that is needed; its types ask for an option of node. */
interface ModuleText {
  readonly dependencySpecifiers?: readonly string[];
  readonly moduleRequests?: readonly { readonly specifier: string }[];
}
type Read = new (text: string, options: { identifier: string }) => ModuleText;
const { SourceTextModule } = vm as unknown as { SourceTextModule: Read };

function importsOf(url: URL): URL[] {
  const text = readFileSync(url, 'utf8').replace(/^#!.*/, '');
  const read = new SourceTextModule(text, { identifier: fileURLToPath(url) });
  const names = read.moduleRequests?.map(({ specifier }) => specifier) ?? read.dependencySpecifiers;
  const later = [...text.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g)].map(([, name]) => name);
  const files = [...(names ?? []), ...later].filter((name) => /^\.{0,2}\/.*\.m?js$/.test(name));
  return files.map((name) => new URL(name, url));
}

const waiting = [pathToFileURL(process.argv[2])];
const seen = new Set<string>();
for (let url = waiting.shift(); url !== undefined; url = waiting.shift()) {
  if (seen.has(url.href) || !existsSync(url)) continue;
  seen.add(url.href);
  waiting.push(...importsOf(url));
}
