/**
 * Installs what the tests need besides npm's packages, where it is missing: two MPI libraries with
 * their launchers and C compilers, the tools that make networks and terminals, spin, and two
 * browsers. Runs before `npm test`.
 * Needs Debian or Ubuntu, and root or sudo without a password, or else names the command.
 */

import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A command of each package that is needed. */
const NEEDED = {
  'mpirun.openmpi': 'openmpi-bin',
  'mpicc.openmpi': 'libopenmpi-dev',
  'mpiexec.mpich': 'mpich',
  'mpicc.mpich': 'libmpich-dev',
  gcc: 'gcc libc6-dev',
  ip: 'iproute2',
  ps: 'procps',
  script: 'bsdutils',
  spin: 'spin',
  unshare: 'util-linux',
  chromium: 'chromium',
  'firefox-esr': 'firefox-esr',
};

const FOLDERS = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin'];

function isThere(command) {
  return FOLDERS.some((folder) => {
    try {
      accessSync(join(folder, command), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const missingPackages = () =>
  Object.keys(NEEDED)
    .filter((command) => !isThere(command))
    .flatMap((command) => NEEDED[command].split(' '));

/** Words before a command that make it root's; null: this user may not. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  const asked = spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
  return asked.status === 0 ? ['sudo', '-n'] : null;
}

function fail(reason, packages) {
  console.error(
    `setup: ${reason}; the tests need these packages of Debian or Ubuntu:\n` +
      `  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`,
  );
  process.exit(1);
}

function install(packages) {
  if (!isThere('apt-get')) fail('there is no apt-get here', packages);
  const prefix = rootPrefix();
  if (prefix === null) fail('this user may not install packages', packages);
  for (const words of [['update'], ['install', '-y', '--no-install-recommends', ...packages]]) {
    const command = [...prefix, 'env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...words];
    console.log(`setup: ${command.join(' ')}`);
    const { status } = spawnSync(command[0], command.slice(1), { stdio: 'inherit' });
    if (status !== 0) fail(`apt-get ${words[0]} failed`, packages);
  }
  const left = missingPackages();
  if (left.length > 0) fail('apt-get has installed packages without their commands', left);
}

const missing = missingPackages();
if (missing.length > 0) install(missing);
