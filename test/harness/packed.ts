/** The packed package in an empty project, as its users get it. */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export class PackedProject {
  readonly folder = mkdtempSync(join(tmpdir(), 'syncbn-consumer-'));

  /** Packs the repository and installs it, and nothing else, into a new project. */
  constructor() {
    execFileSync('npm', ['pack', '--pack-destination', this.folder], {
      cwd: root,
      stdio: 'ignore',
    });
    writeFileSync(join(this.folder, 'package.json'), '{ "name": "consumer", "type": "module" }\n');
    const tarball = readdirSync(this.folder).find((name) => name.endsWith('.tgz'))!;
    const offline = ['--offline', '--no-audit', '--no-fund', '--omit=optional'];
    this.run('npm', 'install', ...offline, `./${tarball}`);
  }

  /** What the command prints; when it fails, an error with all that it printed. */
  run(command: string, ...args: string[]): string {
    const result = spawnSync(command, args, { cwd: this.folder, encoding: 'utf8' });
    if (result.status === 0) return result.stdout;
    throw new Error(`${command} ${args.join(' ')}:\n${result.stdout}${result.stderr}`);
  }

  /** Path of a file of the project. */
  path(...names: string[]): string {
    return join(this.folder, ...names);
  }

  /** Gives the project a package, or a scope, of this repository's dependencies; twice is harmless. */
  lend(name: string): void {
    const to = this.path('node_modules', name);
    if (!existsSync(to)) symlinkSync(join(root, 'node_modules', name), to, 'dir');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
