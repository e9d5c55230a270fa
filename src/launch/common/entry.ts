/** Modules that new threads and processes begin with. */

/** URL of such a module. Source (tests, examples) uses the build's: Node cannot read this one. */
export function entryOf(path: string): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../../../dist/launch/' : '../';
  return new URL(folder + path, import.meta.url);
}
