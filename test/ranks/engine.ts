/**
 * Takes from this thread's WebAssembly what engines may lack, as SYNCBN_TEST_MEMORY says; imported
 * before the thread's first layer. The kernels that the layers then choose need no hook in src/.
 *
 * | SYNCBN_TEST_MEMORY | as in an engine |
 * |---|---|
 * | `none` | without shared memory: the plain kernels serve |
 * | a number | that grants a memory of as many pages of 64 KiB at most |
 */

const granted = process.env.SYNCBN_TEST_MEMORY;

/** What `console.warn` was called with, where the plain kernels serve. */
export const warnings: string[] = [];

if (granted !== undefined) {
  const pages = granted === 'none' ? 0 : Number(granted);
  // A proxy: memories that come from other threads are still instances.
  WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
    construct(memory, [descriptor]: [WebAssembly.MemoryDescriptor]) {
      if (descriptor.shared && (descriptor.maximum ?? 0) > pages) {
        throw new RangeError(`no shared memory of ${descriptor.maximum} pages`);
      }
      return new memory(descriptor);
    },
  });
}

if (granted === 'none') {
  // One for each rank of each test file would bury what the tests say.
  console.warn = (...words: unknown[]) => warnings.push(words.join(' '));
}
