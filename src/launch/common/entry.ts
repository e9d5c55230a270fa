/** Modules that new threads and processes begin with. */

/** URL of such a module. From source (tests, examples) it is the build's: Node cannot read this folder. */
export function entryOf(path: string): URL {
  const folder = import.meta.url.endsWith('.ts') ? '../../../dist/launch/' : '../';
  return new URL(folder + path, import.meta.url);
}
