/** The packed package in an empty project, as its users get it. */

import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackedProject } from '../harness/packed.js';
import { programsIn, programsOf } from './programs.js';
import { RESOLUTIONS, typeCheck } from './type-check.js';

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

  it('holds nothing that an earlier build has left', () => {
    const folder = project.path('node_modules/syncbn/dist');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    const built = files.filter((name) => name.endsWith('.js'));
    expect(built).toContain('index.js');
    const stale = built.filter((n) => !existsSync(join(root, 'src', n.replace(/js$/, 'ts'))));
    expect(stale).toEqual([]);
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
      skipDefaultLibCheck: true,
    };
    writeFileSync(
      project.path('tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['types.ts'] }),
    );
    run('node', 'node_modules/typescript/bin/tsc');
    expect(run('node', 'types.js')).toBe('[[2,2],[2,2],1,["zeros","he_uniform"],true]\n');
  }, 120_000);

  describe.each(Object.entries(RESOLUTIONS))('with modules found as by %s', (name, resolution) => {
    const entries = readFileSync(new URL('./consumer/entries.mts', import.meta.url), 'utf8');

    it('has declarations that compile in a strict ES2022 project of Node', () => {
      for (const lent of ['typescript', '@types', 'undici-types']) project.lend(lent);
      const settings = { ...resolution, lib: ['es2022'], types: ['node'] };
      expect(typeCheck(project.folder, `node-${name}`, settings, { 'entries.mts': entries })).toBe(
        '',
      );
    }, 120_000);

    it('has declarations that compile in a strict ES2022 project of a browser', () => {
      project.lend('typescript');
      const settings = { ...resolution, lib: ['es2022', 'dom'], types: [] };
      expect(
        typeCheck(project.folder, `browser-${name}`, settings, { 'entries.mts': entries }),
      ).toBe('');
    }, 120_000);
  });

  it('takes the programs of README and docs as they stand there, as strict TypeScript', () => {
    for (const name of ['@jax-js', '@tensorflow', '@types', 'typescript', 'undici-types']) {
      project.lend(name);
    }
    const programs = programsOf(root).map(({ name, text }) => [`${name}.mts`, text] as const);
    expect(programs.map(([file]) => file.replace(/-\d+\.mts/, ''))).toContain('README');
    // The declarations of jax-js and TensorFlow.js, which are not ours, do not stand being checked.
    const settings = {
      ...RESOLUTIONS.NodeNext,
      ...{ lib: ['esnext', 'dom'], types: ['node'], skipLibCheck: true },
    };
    const files = Object.fromEntries(programs);
    expect(typeCheck(project.folder, 'programs', settings, files)).toBe('');
  }, 120_000);

  it('runs the first programs of README on two ranks', () => {
    project.lend('@tensorflow');
    const programs = programsIn('README', readFileSync(join(root, 'README.md'), 'utf8'));
    const [train, first] = programs.map(({ text }) => text);
    writeFileSync(project.path('train.mjs'), train);
    writeFileSync(project.path('first.mjs'), first);
    const options = ['--worker_num=2', '--join=True', '--log_dir=logs'];
    const training = run('npx', '--no-install', 'syncrun', ...options, 'train.mjs');
    const [own = '', other] = training.match(/losses [\d.,]+/g) ?? [];
    expect(own.split(',')).toHaveLength(5);
    expect(other).toBe(own);
    const output = run('npx', '--no-install', 'syncrun', ...options, 'first.mjs');
    // Rank 0 holds 0, 2 and 1, 3; rank 1 holds 1, 3 and 2, 4. Means 1.5 and 2.5, times 0.1.
    const line = 'running mean [0.15 0.25], gradient of bias [2. 2.]';
    expect(output.split('\n').filter((text) => text.endsWith(line))).toHaveLength(2);
  });

  it('has a manifest that bundlers and type checkers agree with', () => {
    const publint = join(root, 'node_modules/.bin/publint');
    // publint colors its output where the environment asks for colors, piped or not.
    const output = stripVTControlCharacters(run(publint, 'run', 'node_modules/syncbn', '--strict'));
    // A condition of `imports` instead of the field would lead from src to dist, also in tests.
    expect(output).toMatch(/Linting\.\.\.\nSuggestions:\n1\. pkg\.browser [^\n]*\n*$/);
  });
});
