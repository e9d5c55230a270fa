/**
 * Compiles assembly/ and writes the WebAssembly as text: src/kernels/generated/binaries.ts (both
 * builds of the kernels) and src/group/thread/generated/reduce.ts, so that bundlers, Deno, Bun and
 * browsers have no asset to handle. Hexadecimal, since gzip finds repeated code in it: 19 KB,
 * against 25 KB of base64, which hides byte boundaries.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import asc from 'assemblyscript/asc';

/** Every build: imports one shared memory, traps instead of calling back, has no assertions. */
const COMMON = [
  ['-O3', '--noAssert', '--disableWarning', '--noExportMemory'],
  ['--use', 'abort=', '--enable', 'simd', '--enable', 'threads'],
  ['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65535'],
].flat();

/** Compiles one entry file of assembly/ into build/NAME.wasm and returns its bytes. */
async function compile(entry: string, name: string, options: string[] = []): Promise<Buffer> {
  const path = `build/${name}.wasm`;
  const files = [`assembly/${entry}.ts`, '-o', path, '-t', `build/${name}.wat`];
  const runtime = ['--runtime', entry === 'reduce' ? 'stub' : 'minimal'];
  const { error, stderr } = await asc.main([...files, ...COMMON, ...runtime, ...options]);
  if (error) throw new Error(`asc: ${error.message}\n${stderr.toString()}`);
  return readFileSync(path);
}

/** Writes a module that exports each of `binaries` as hexadecimal text. */
function write(path: string, binaries: Record<string, Buffer>): void {
  const constants = Object.entries(binaries).map(
    ([name, bytes]) => `export const ${name} =\n  '${bytes.toString('hex')}';\n`,
  );
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    `/** Made by scripts/build-kernels.ts from assembly/. */\n\n${constants.join('')}`,
  );
}

mkdirSync('build', { recursive: true });
const baseline = await compile('index', 'baseline');
const relaxed = await compile('float32', 'relaxed', ['--enable', 'relaxed-simd']);
const reduce = await compile('reduce', 'reduce');
await compile('limits', 'limits');
write('src/kernels/generated/binaries.ts', { baseline, relaxed });
write('src/group/thread/generated/reduce.ts', { reduce });
const sizes = [baseline, relaxed, reduce].map(({ length }) => length);
console.log(`WebAssembly: baseline ${sizes[0]} bytes, relaxed ${sizes[1]}, reduce ${sizes[2]}`);
