/** The browsers that the tests drive: Debian's, without windows, reaching nothing but loopback. */

import { existsSync } from 'node:fs';
import { type Browser, launch } from 'puppeteer-core';

export const BROWSERS = ['chromium', 'firefox'] as const;
export type BrowserName = (typeof BROWSERS)[number];

const PATHS: Record<BrowserName, string> = {
  chromium: '/usr/bin/chromium',
  firefox: '/usr/bin/firefox-esr',
};

/** No sandbox: it wants a user that is not root. The rest keeps Chromium from calling home. */
const CHROMIUM_ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts a browser. @throws Error that names the package when it is not installed */
export async function startBrowser(name: BrowserName): Promise<Browser> {
  const executablePath = PATHS[name];
  if (!existsSync(executablePath)) {
    throw new Error(`${executablePath} is not there: run node scripts/setup.mjs`);
  }
  if (name === 'chromium') {
    return launch({ executablePath, headless: true, args: CHROMIUM_ARGUMENTS });
  }
  return launch({ browser: 'firefox', executablePath, headless: true });
}
