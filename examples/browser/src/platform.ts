/** What this browser and this page offer, and what is missing. */

/** (module (func (result v128) i32.const 0 i8x16.splat)): valid where there is WebAssembly SIMD. */
const SIMD = Uint8Array.of(
  ...[0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123],
  ...[3, 2, 1, 0, 10, 8, 1, 6, 0, 65, 0, 253, 15, 11],
);

export const hasSimd = WebAssembly.validate(SIMD);
export const isIsolated = globalThis.crossOriginIsolated === true;

/** What a person should know; empty when nothing is missing. */
export function missing(): string[] {
  const notes: string[] = [];
  if (!isIsolated) {
    const secure = isSecureContext ? '' : 'over HTTPS or from localhost, ';
    notes.push(
      'This page is not cross-origin isolated, so its workers cannot share memory. They train all ' +
        'the same, more slowly: with jax-js they send one another messages, and with TensorFlow.js, ' +
        `which cannot wait for messages, there is one worker. Serve the page ${secure}with the ` +
        'headers “Cross-Origin-Opener-Policy: same-origin” and “Cross-Origin-Embedder-Policy: ' +
        'require-corp” to let them share memory.',
    );
  }
  if (!hasSimd) {
    notes.push('This browser has no WebAssembly SIMD: training is many times slower here.');
  }
  return notes;
}

/** One line for the foot of the page. */
export function describePlatform(): string {
  const cores = navigator.hardwareConcurrency;
  const of = (flag: boolean) => (flag ? 'yes' : 'no');
  return (
    `This browser says: ${cores} cores; cross-origin isolated: ${of(isIsolated)}; ` +
    `WebAssembly SIMD: ${of(hasSimd)}. Nothing leaves this page.`
  );
}
