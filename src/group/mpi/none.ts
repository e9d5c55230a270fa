/**
 * Stands in for load.ts in bundles for browsers, by the `browser` field of package.json: MPI and
 * koffi, which webpack cannot bundle, stay out of them.
 */

/** @throws Error in a process of MPI, which would be one of many worlds of one */
export async function joinLaunchedProcess(): Promise<null> {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } };
  const names = ['OMPI_COMM_WORLD_RANK', 'PMI_RANK', 'PMIX_RANK'];
  if (names.every((name) => process?.env?.[name] === undefined)) return null;
  throw new Error(
    'init: an MPI launcher started this process, but the program was bundled for browsers, ' +
      'which have no MPI; bundle it for Node',
  );
}
