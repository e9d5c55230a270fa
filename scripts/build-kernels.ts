/**
 * Compiles assembly/ and writes src/kernels/generated/binaries.ts: the WebAssembly of both builds
 * as text (src/kernels/binary-text.ts), so that bundlers, Deno, Bun and browsers have no asset to
 * handle.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import asc from 'assemblyscript/asc';
import { CHARACTERS, decode, FREQUENT, orderOf, PAGES } from '../src/kernels/binary-text.js';

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

/** The most frequent bytes of both builds, the most frequent first. */
const counts = new Array<number>(256).fill(0);
for (const byte of Buffer.concat([baseline, relaxed])) counts[byte]++;
const frequent = [...counts.keys()].sort((a, b) => counts[b] - counts[a]).slice(0, FREQUENT);
const order = orderOf(frequent);

/** The text of the byte at `place` of the order. */
function textOf(place: number): string {
  if (place < FREQUENT) return CHARACTERS[PAGES + place];
  const rest = place - FREQUENT;
  const { length } = CHARACTERS;
  return CHARACTERS[Math.floor(rest / length)] + CHARACTERS[rest % length];
}

function encode(bytes: Buffer): string {
  const text = Array.from(bytes, (byte) => textOf(order.indexOf(byte))).join('');
  if (!bytes.equals(decode(text, frequent))) throw new Error('the text is not read back');
  return text;
}

const binary = (name: string, bytes: Buffer) => `export const ${name} =\n  '${encode(bytes)}';\n`;
writeFileSync(
  'src/kernels/generated/binaries.ts',
  `/** Made by scripts/build-kernels.ts from assembly/. */\n\n` +
    `export const frequent = [${frequent.join(', ')}];\n` +
    `${binary('baseline', baseline)}${binary('relaxed', relaxed)}`,
);
console.log(`kernels: baseline ${baseline.length} bytes, relaxed ${relaxed.length} bytes`);
