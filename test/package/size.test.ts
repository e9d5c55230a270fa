/** What `import 'syncbn'` loads: the entry and all that it imports statically, as a bundler sees it. */

import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Loaded {
  gzipped: number;
  files: string[];
  /** What is left to be found at run time. */
  external: string[];
}

/** Bundles the built entry; what it imports dynamically goes to bundles of its own. */
async function loaded(minify: boolean): Promise<Loaded> {
  const { outputFiles, metafile } = await build({
    entryPoints: ['dist/index.js'],
    absWorkingDir: root,
    outdir: 'out',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'neutral',
    minify,
    metafile: true,
    write: false,
  });
  const outputs = new Set(['out/index.js']);
  const external: string[] = [];
  for (const output of outputs) {
    for (const { path, kind, external: outside } of metafile.outputs[output].imports) {
      if (outside) external.push(path);
      else if (kind !== 'dynamic-import') outputs.add(path);
    }
  }
  const text = [...outputs].map((output) => {
    const file = outputFiles.find(({ path }) => path.endsWith(`/${output}`));
    return Buffer.from(file!.contents);
  });
  return {
    gzipped: gzipSync(Buffer.concat(text)).length,
    files: [...outputs].flatMap((output) => Object.keys(metafile.outputs[output].inputs)),
    external,
  };
}

// All exports at once, which no program loads; test/browser/bundlers.test.ts holds what one loads.
it('is less than 41 KB, minified and gzipped, with every export', async () => {
  const [minified, readable] = [await loaded(true), await loaded(false)];
  const kilobytes = ({ gzipped }: Loaded) => `${(gzipped / 1024).toFixed(1)} KB`;
  console.log(`import 'syncbn': ${kilobytes(minified)} (not minified: ${kilobytes(readable)})`);
  expect(minified.gzipped).toBeLessThan(41 * 1024);
});

it('holds the kernels, and neither MPI with koffi nor any package', async () => {
  const { files, external } = await loaded(true);
  expect(files).toContain('dist/kernels/wasm/generated/binaries.js');
  expect(files).toContain('dist/layers/sync-batch-norm.js');
  // It looks whether there is a world of MPI to load.
  expect(files.filter((file) => file.includes('/mpi/'))).toEqual(['dist/group/mpi/load.js']);
  expect(files.filter((file) => !file.startsWith('dist/'))).toEqual([]);
  expect(external).toEqual([]);
});
