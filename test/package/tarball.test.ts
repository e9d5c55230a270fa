/** The packed package in an empty project, as its users get it. */

import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
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

const root = fileURLToPath(new URL('../..', import.meta.url));
const project = mkdtempSync(join(tmpdir(), 'syncbn-consumer-'));

/** What the command prints; where it fails, an error with all that it printed. */
function run(command: string, ...args: string[]): string {
  const result = spawnSync(command, args, { cwd: project, encoding: 'utf8' });
  if (result.status === 0) return result.stdout;
  throw new Error(`${command} ${args.join(' ')}:\n${result.stdout}${result.stderr}`);
}

/** Gives the project a package of this repository's development dependencies. */
function lend(name: string): void {
  symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name), 'dir');
}

beforeAll(() => {
  execFileSync('npm', ['pack', '--pack-destination', project], { cwd: root, stdio: 'ignore' });
  writeFileSync(join(project, 'package.json'), '{ "name": "consumer", "type": "module" }\n');
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'))!;
  run('npm', 'install', '--offline', '--no-audit', '--no-fund', '--omit=optional', `./${tarball}`);
}, 120_000);

afterAll(() => rmSync(project, { recursive: true }));

describe('the packed package', () => {
  it('installs without any dependency and holds no source or test', () => {
    expect(readdirSync(join(project, 'node_modules')).filter((n) => !n.startsWith('.'))).toEqual([
      'syncbn',
    ]);
    expect(readdirSync(join(project, 'node_modules/syncbn')).sort()).toEqual([
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
    symlinkSync(join(root, 'node_modules/@jax-js'), join(project, 'node_modules/@jax-js'), 'dir');
    lend('typescript');
    symlinkSync(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'), 'dir');
    lend('undici-types');
    cpSync(new URL('./consumer/types.ts', import.meta.url), join(project, 'types.ts'));
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
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: ['types.ts'] }),
    );
    run('node', 'node_modules/typescript/bin/tsc');
    expect(run('node', 'types.js')).toBe('[[2,2],[2,2],1,["zeros","he_uniform"],true]\n');
  }, 60_000);

  it('has a manifest that bundlers and type checkers agree with', () => {
    const publint = join(root, 'node_modules/.bin/publint');
    const output = run(publint, 'run', 'node_modules/syncbn', '--strict');
    expect(output).toMatch(/All good/);
  });
});
