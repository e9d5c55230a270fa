/**
 * Stands in for index.js in bundles for browsers, by the `browser` field of package.json: MPI and
 * koffi, which webpack cannot bundle, stay out of them.
 */

/** @throws Error always: only a bundle that runs in a process of MPI gets here */
export async function mpiWorldFromEnvironment(): Promise<never> {
  throw new Error(
    'init: an MPI launcher started this process, but the program was bundled for browsers, ' +
      'which have no MPI; bundle it for Node',
  );
}
