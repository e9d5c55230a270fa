/** The packed package beside nothing but `@tensorflow/tfjs`, from ES modules and CommonJS. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** The same entries from CommonJS; the project's own compiler takes no such file. */
const COMMON_JS = `import * as tf from '@tensorflow/tfjs';
import { init } from 'syncbn';
import { distribute, syncBatchNormalization } from 'syncbn/tfjs';
import { registerWasmGradients } from 'syncbn/tfjs/wasm-gradients';

async function main(): Promise<void> {
  await init();
  await tf.setBackend('cpu');
  const model = tf.sequential({ layers: [syncBatchNormalization({ inputShape: [3] })] });
  model.compile({ optimizer: 'sgd', loss: 'meanSquaredError' });
  const loss = await distribute(model).trainOnBatch(tf.ones([8, 3]), tf.ones([8, 3]));
  console.log(loss, typeof registerWasmGradients);
}

main();
`;

const root = fileURLToPath(new URL('../..', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'syncbn-tfjs-'));

function run(...args: string[]): { output: string; errors: string } {
  const result = spawnSync('node', args, { cwd: project, encoding: 'utf8' });
  if (result.status !== 0) {
    throw new Error(`node ${args.join(' ')}:\n${result.stdout}${result.stderr}`);
  }
  return { output: result.stdout, errors: result.stderr };
}

function lend(name: string): void {
  symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name), 'dir');
}

beforeAll(() => {
  const packed = ['pack', '--pack-destination', project];
  execFileSync('npm', packed, { cwd: root, stdio: 'ignore' });
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz')) as string;
  mkdirSync(join(project, 'node_modules/syncbn'), { recursive: true });
  const into = ['-C', join(project, 'node_modules/syncbn'), '--strip-components=1'];
  execFileSync('tar', ['-xzf', join(project, tarball), ...into]);
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer" }\n');
  // As npm installs `@tensorflow/tfjs`: its parts lie beside it.
  for (const name of ['@tensorflow', 'typescript', '@types', 'undici-types']) lend(name);
}, 120_000);

afterAll(() => rmSync(project, { recursive: true }));

describe('syncbn/tfjs in the packed package', () => {
  it('type-checks and runs from ES modules and from CommonJS', () => {
    cpSync(new URL('./consumer/tfjs.mts', import.meta.url), join(project, 'tfjs.mts'));
    writeFileSync(join(project, 'tfjs.cts'), COMMON_JS);
    const compilerOptions = {
      strict: true,
      module: 'nodenext',
      target: 'es2022',
      lib: ['esnext', 'dom'],
      types: ['node'],
      exactOptionalPropertyTypes: true,
      // TensorFlow.js' own types want types of WebGPU.
      skipLibCheck: true,
    };
    const config = JSON.stringify({ compilerOptions, files: ['tfjs.mts', 'tfjs.cts'] });
    writeFileSync(join(project, 'tsconfig.json'), config);
    run('node_modules/typescript/bin/tsc');
    expect(run('tfjs.mjs').output).toBe('[2,0,[0,1],3,true,1] Adam 1 function\n');
    expect(run('tfjs.cjs').output).toMatch(/^\d[\d.]* function\n$/);
  }, 60_000);

  it.each(['syncbn', 'syncbn/launch'])('is not loaded by %s, nor is TensorFlow.js', (entry) => {
    const script = `
      require('${entry}');
      const loaded = Object.keys(require.cache).filter((path) => path.includes('tensorflow'));
      console.log(loaded.length);`;
    expect(run('-e', script).output).toBe('0\n');
    const dist = join(project, 'node_modules/syncbn/dist');
    const file = entry === 'syncbn' ? 'index.js' : 'launch/index.js';
    expect(importsOf(join(dist, file))).not.toContain('@tensorflow/tfjs-core');
  });

  it('lists the modules that register the layer, so that bundlers keep them', () => {
    const path = join(project, 'node_modules/syncbn/package.json');
    const { sideEffects } = JSON.parse(readFileSync(path, 'utf8'));
    const listed = (sideEffects as string[]).filter((name) => name.includes('/tfjs/'));
    const files = listed.map((name) => join(path, '..', name));
    const registering = files.filter((file) =>
      readFileSync(file, 'utf8').includes('registerClass(SyncBatchNormalization'),
    );
    expect(registering.length).toBe(1);
    expect(files.some((file) => file.endsWith('adapters/tfjs/index.js'))).toBe(true);
  });

  it('names what it needs where TensorFlow.js is missing', () => {
    rmSync(join(project, 'node_modules/@tensorflow'));
    expect(() => run('-e', "import('syncbn/tfjs')")).toThrow(/@tensorflow\/tfjs/);
    expect(() => run('-e', "import('syncbn/tfjs/wasm-gradients')")).toThrow(
      /@tensorflow\/tfjs-core/,
    );
  });
});

/** Packages that a built module imports, through all that it imports. */
function importsOf(entry: string): string[] {
  const seen = new Set([entry]);
  const packages = new Set<string>();
  for (const file of seen) {
    for (const [, name] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s+'([^']+)'/g)) {
      if (name.startsWith('.')) seen.add(join(file, '..', name));
      else packages.add(name);
    }
  }
  return [...packages];
}
