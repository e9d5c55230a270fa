/** Scenarios: functions of a test page that a test calls by name. */

import type { Page } from 'puppeteer-core';

/** Offers `scenarios` to the test that opened this page. */
export function offer(scenarios: Record<string, (argument: never) => unknown>): void {
  Object.assign(globalThis, { scenarios });
}

/** What a scenario came to. */
export type Outcome<T> = { readonly value: T } | { readonly error: string };

/** Runs the scenario `name` in `page`. @throws Error with what it threw */
export async function run<T = unknown>(page: Page, name: string, argument?: unknown): Promise<T> {
  await page.waitForFunction(() => 'scenarios' in globalThis);
  const outcome = await page.evaluate(
    async (key, value) => {
      const { scenarios } = globalThis as unknown as {
        scenarios: Record<string, (argument: unknown) => unknown>;
      };
      try {
        return { value: await scenarios[key](value) };
      } catch (error) {
        return { error: `${(error as Error).name}: ${(error as Error).message}` };
      }
    },
    name,
    argument ?? null,
  );
  if ('error' in outcome) throw new Error(outcome.error);
  return outcome.value as T;
}
