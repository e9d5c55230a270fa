/** The needs of a page that shares memory with its workers. */

/**
 * Checks that this thread may share memory with other threads. Node, Deno and Bun always may; a
 * browser needs a page that is isolated from other origins.
 * @throws Error that says how to serve such a page, and what works without
 */
export function requireSharedMemory(caller: string): void {
  const { crossOriginIsolated, isSecureContext } = globalThis;
  if (typeof SharedArrayBuffer !== 'undefined' && crossOriginIsolated !== false) return;
  const secure = isSecureContext === false ? 'over HTTPS or from localhost, ' : '';
  throw new Error(
    `${caller}: this page is not cross-origin isolated, so its workers cannot share memory; ` +
      `serve it ${secure}with the headers 'Cross-Origin-Opener-Policy: same-origin' and ` +
      "'Cross-Origin-Embedder-Policy: require-corp', or let the ranks meet in a relay, which " +
      "needs neither: relayWorld of 'syncbn/relay'",
  );
}
