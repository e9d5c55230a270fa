/** The packed package in an empty project, as its users get it. */

import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackedProject } from '../harness/packed.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
let project: PackedProject;
const run = (command: string, ...args: string[]) => project.run(command, ...args);

beforeAll(() => {
  project = new PackedProject();
}, 120_000);

afterAll(() => project.remove());

describe('the packed package', () => {
  it('installs without any dependency and holds no source or test', () => {
    expect(readdirSync(project.path('node_modules')).filter((n) => !n.startsWith('.'))).toEqual([
      'syncbn',
    ]);
    expect(readdirSync(project.path('node_modules/syncbn')).sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist',
      'package.json',
    ]);
  });

  it('is loaded without any framework', () => {
    const script = "import('syncbn').then((m) => console.log(typeof m.SyncBatchNorm))";
    expect(run('node', '-e', script)).toBe('function\n');
    const launch = "import('syncbn/launch').then((m) => console.log(typeof m.launch))";
    expect(run('node', '-e', launch)).toBe('function\n');
  });

  it('runs syncrun', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(run('npx', '--no-install', 'syncrun', '--version')).toBe(`syncrun ${version}\n`);
  });

  it('names what syncbn/jax needs where it is missing', () => {
    expect(() => run('node', '-e', "import('syncbn/jax')")).toThrow(/@jax-js\/jax/);
  });

  it('type-checks and runs a program that uses every entry point', () => {
    for (const name of ['@jax-js', 'typescript', '@types', 'undici-types']) project.lend(name);
    cpSync(new URL('./consumer/types.ts', import.meta.url), project.path('types.ts'));
    const options = {
      strict: true,
      module: 'nodenext',
      target: 'es2022',
      // jax-js' own types want Float16Array.
      lib: ['esnext', 'dom'],
      types: ['node'],
      exactOptionalPropertyTypes: true,
    };
    writeFileSync(
      project.path('tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['types.ts'] }),
    );
    run('node', 'node_modules/typescript/bin/tsc');
    expect(run('node', 'types.js')).toBe('[[2,2],[2,2],1,["zeros","he_uniform"],true]\n');
  }, 60_000);

  it('has a manifest that bundlers and type checkers agree with', () => {
    const publint = join(root, 'node_modules/.bin/publint');
    const output = run(publint, 'run', 'node_modules/syncbn', '--strict');
    // A condition of `imports` instead of the field would lead from src to dist, also in tests.
    expect(output).toMatch(/Linting\.\.\.\nSuggestions:\n1\. pkg\.browser [^\n]*\n*$/);
  });
});
