/** Runtimes that ranks can run on. */

/** First versions of the lines that are supported: `engines` of package.json. */
const OLD_LINE = [20, 19] as const;
const NEW_LINE = [22, 12] as const;

/** Names the fault of a runtime, as `process.versions` tells it; null when there is none. */
export function runtimeProblem(
  versions: Readonly<Record<string, string | undefined>>,
): string | null {
  if ('bun' in versions || 'deno' in versions) return null;
  const [major, minor] = (versions.node ?? '0.0').split('.').map(Number);
  const serves =
    (major === OLD_LINE[0] && minor >= OLD_LINE[1]) ||
    major > NEW_LINE[0] ||
    (major === NEW_LINE[0] && minor >= NEW_LINE[1]);
  if (serves) return null;
  return `Node ${OLD_LINE.join('.')} or ${NEW_LINE.join('.')} and newer is needed, and this is ${versions.node}`;
}
