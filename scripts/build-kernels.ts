/**
 * Compiles assembly/ and writes src/kernels/generated/binaries.ts: the WebAssembly of both builds
 * as text, so that bundlers, Deno, Bun and browsers have no asset to handle. Hexadecimal, since
 * gzip finds repeated code in it: 19 KB, against 25 KB of base64, which hides byte boundaries.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';

/** Every build: imports one shared memory, traps instead of calling back, has no assertions. */
const COMMON = [
  ['-O3', '--noAssert', '--disableWarning', '--noExportMemory'],
  ['--runtime', 'minimal', '--use', 'abort=', '--enable', 'simd', '--enable', 'threads'],
  ['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65535'],
].flat();

/** Compiles one entry file of assembly/ into build/NAME.wasm and returns its bytes. */
export async function compile(entry: string, name: string, options: string[] = []) {
  const path = `build/${name}.wasm`;
  const files = [`assembly/${entry}.ts`, '-o', path, '-t', `build/${name}.wat`];
  const { error, stderr } = await asc.main([...files, ...COMMON, ...options]);
  if (error) throw new Error(`asc: ${error.message}\n${stderr.toString()}`);
  return readFileSync(path);
}

mkdirSync('build', { recursive: true });
mkdirSync('src/kernels/generated', { recursive: true });
const baseline = await compile('index', 'baseline');
const relaxed = await compile('float32', 'relaxed', ['--enable', 'relaxed-simd']);
await compile('limits', 'limits');
const text = (name: string, bytes: Buffer) =>
  `export const ${name} =\n  '${bytes.toString('hex')}';\n`;
writeFileSync(
  'src/kernels/generated/binaries.ts',
  `/** Made by scripts/build-kernels.ts from assembly/. */\n\n${text('baseline', baseline)}${text('relaxed', relaxed)}`,
);
console.log(`kernels: baseline ${baseline.length} bytes, relaxed ${relaxed.length} bytes`);
