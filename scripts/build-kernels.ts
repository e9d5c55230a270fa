/**
 * Compiles assembly/ and writes the WebAssembly as text: src/kernels/wasm/generated/binaries.ts (the
 * kernels of float32), a file there for each other element type, exact.ts, mask.ts and tail.ts (exact
 * sums, masks and tails: src/features/ has them), and generated/reduce.ts in src/group/thread and in src/group/mpi (of one source, for shared memory and
 * for a process's own), so that bundlers, Deno, Bun and browsers have no asset to handle.
 * src/core/binary-text.ts tells what the text is.
 */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import asc from 'assemblyscript/asc';
import binaryen from 'binaryen';
import { CHARACTERS, decode, FREQUENT, ORDER, PAGES } from '../src/core/binary-text.js';
import { unmarked } from '../src/kernels/wasm/fusing.js';

/** Every build: imports one memory, traps instead of calling back, has no assertions. */
const COMMON = [
  ['-O3', '--noAssert', '--disableWarning', '--noExportMemory'],
  ['--use', 'abort=', '--enable', 'simd', '--enable', 'threads'],
  ['--importMemory', '--initialMemory', '1', '--maximumMemory', '65535'],
].flat();

/** Of WebAssembly: what asc is told and what it takes for granted. */
const FEATURES: number = [
  binaryen.Features.MutableGlobals,
  binaryen.Features.SignExt,
  binaryen.Features.NontrappingFPToInt,
  binaryen.Features.BulkMemory,
  binaryen.Features.BulkMemoryOpt,
  binaryen.Features.SIMD128,
  binaryen.Features.Atomics,
  binaryen.Features.RelaxedSIMD,
].reduce<number>((all, feature) => all | feature, 0);

/** Compiles one entry file of assembly/ into build/NAME.wasm and returns its bytes. */
async function compile(
  entry: string,
  name: string,
  options = ['--runtime', 'stub'],
  shared = true,
): Promise<Buffer> {
  const path = `build/${name}.wasm`;
  const files = [`assembly/${entry}.ts`, '-o', path, '-t', `build/${name}.wat`];
  const memory = shared ? ['--sharedMemory'] : [];
  const { error, stderr } = await asc.main([...files, ...COMMON, ...memory, ...options]);
  if (error) throw new Error(`asc: ${error.message}\n${stderr.toString()}`);
  const bytes = inlined(readFileSync(path));
  writeFileSync(path, bytes);
  return bytes;
}

/**
 * The same with every function that has one caller inside it, up to a size that asc does not allow.
 * V8 unrolls a loop the more, the deeper it is nested in its function: kernels that are split into
 * small functions are a tenth slower.
 */
function inlined(bytes: Buffer): Buffer {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(FEATURES);
  binaryen.setOptimizeLevel(3);
  binaryen.setShrinkLevel(0);
  binaryen.setOneCallerInlineMaxSize(1000);
  module.optimize();
  const result = Buffer.from(module.emitBinary());
  module.dispose();
  return result;
}

/**
 * Throws unless {@link unmarked} replaces the marks of `binary` and nothing else: as text, products
 * and sums stand where the marks did.
 */
function checkMarks(binary: Buffer): void {
  const text = textOfModule(binary);
  const apart = text
    .replaceAll('f32x4.relaxed_min', 'f32x4.mul')
    .replaceAll('f32x4.relaxed_max', 'f32x4.add');
  const sums = text.split('f32x4.relaxed_max').length;
  const fused = textOfModule(unmarked(binary, true));
  const isFused =
    fused.split('f32x4.relaxed_madd').length === sums && !/relaxed_m(in|ax)/.test(fused);
  if (sums < 2 || !isFused || textOfModule(unmarked(binary, false)) !== apart) {
    throw new Error('products that are added can not be told from other code: see fusing.ts');
  }
}

function textOfModule(bytes: Uint8Array): string {
  const module = binaryen.readBinary(bytes);
  module.setFeatures(FEATURES);
  if (!module.validate()) throw new Error('binaryen: a module is not valid');
  const text = module.emitText();
  module.dispose();
  return text;
}

/** The text of the byte at `place` of the order. */
function textAt(place: number): string {
  if (place < FREQUENT) return CHARACTERS[PAGES + place];
  const rest = place - FREQUENT;
  const { length } = CHARACTERS;
  return CHARACTERS[Math.floor(rest / length)] + CHARACTERS[rest % length];
}

function encode(bytes: Buffer): string {
  const text = Array.from(bytes, (byte) => textAt(ORDER.indexOf(byte))).join('');
  if (!bytes.equals(decode(text))) throw new Error('the text is not read back');
  return text;
}

/** Writes a module that exports the text of each of `binaries`. */
function write(path: string, binaries: Record<string, Buffer>): void {
  const constants = Object.entries(binaries).map(
    ([name, bytes]) => `export const ${name} =\n  '${encode(bytes)}';\n`,
  );
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(
    path,
    `/** Made by scripts/build-kernels.ts from assembly/. */\n\n${constants.join('')}`,
  );
}

mkdirSync('build', { recursive: true });
// The stages of assembly/ are written for the types T and E of element.d.ts, which a build chooses.
const typed = (T: string, E = T) => ['--use', `T=${T}`, '--use', `E=${E}`, '--runtime', 'stub'];
const [float32, float64] = [typed('f32'), typed('f64')];
const base = await compile('index', 'base', ['--runtime', 'minimal']);
const stages = await compile('stages', 'stages', [...float32, '--enable', 'relaxed-simd']);
checkMarks(stages);
const float16 = await compile('half-stages', 'float16', typed('f32', 'i16'));
const bfloat16 = await compile('half-stages', 'bfloat16', typed('f32', 'u16'));
const exact32 = await compile('exact-stages', 'exact32', float32);
const stages64 = await compile('stages', 'stages64', float64);
const exact64 = await compile('exact-stages', 'exact64', float64);
const mask = await compile('mask', 'mask');
const tail32 = await compile('tail', 'tail32', float32);
const tail64 = await compile('tail', 'tail64', float64);
const gate = await compile('gate', 'gate');
const reduce = await compile('sums', 'reduce');
const reduceOwn = await compile('sums', 'reduce-own', ['--runtime', 'stub'], false);
await compile('limits', 'limits');
write('src/kernels/wasm/generated/binaries.ts', { stages, base });
write('src/kernels/wasm/generated/float64.ts', { float64: stages64 });
write('src/kernels/wasm/generated/float16.ts', { float16 });
write('src/kernels/wasm/generated/bfloat16.ts', { bfloat16 });
write('src/kernels/wasm/generated/exact.ts', { exact32, exact64 });
write('src/kernels/wasm/generated/mask.ts', { mask });
write('src/kernels/wasm/generated/tail.ts', { tail32, tail64, gate });
write('src/group/thread/generated/reduce.ts', { reduce });
write('src/group/mpi/generated/reduce.ts', { reduce: reduceOwn });
const sizes = Object.entries({
  base,
  stages,
  stages64,
  float16,
  bfloat16,
  exact32,
  exact64,
  mask,
  tail32,
  tail64,
  gate,
  reduce,
});
console.log(
  `WebAssembly: ${sizes.map(([name, { length }]) => `${name} ${length} bytes`).join(', ')}`,
);
