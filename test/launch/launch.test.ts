/** `launch`: a world from a program. The ranks run the build; see rank-thread.ts. */

import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { RankFailedError, Tensor, type TensorLike } from 'syncbn';
import { type LaunchOptions, launch } from 'syncbn/launch';
import { describe, expect, test } from 'vitest';
import { workspace } from './support.js';

/** Path of a new script with `text`. */
const script = (text: string, name = 'a.mjs') => join(workspace({ [name]: text }), name);
const quiet = (workerNum: number, more: Partial<LaunchOptions> = {}): LaunchOptions => ({
  workerNum,
  output: 'ignore',
  ...more,
});

const MAIN = `
import { createGroup, getRank, init } from 'syncbn';
import { parentPort } from 'node:worker_threads';
export async function main(data) {
  await init();
  const sum = createGroup('pair', [0, 1]).allReduce(Float64Array.of(data.shard)).wait();
  if (getRank() === 0) parentPort.postMessage({ progress: 0.5 });
  console.log('rank', getRank(), ...process.argv.slice(2)); console.error('é');
  return { sum, rank: getRank() };
}`;

test('each rank gets data and arguments, posts messages, writes output and returns a result', async () => {
  const seen: string[] = [];
  const { done, workerNum } = launch<{ sum: Float64Array; rank: number }>(script(MAIN), {
    workerNum: 2,
    args: ['--epochs', '3'],
    data: (rank: number) => ({ shard: rank + 10 }),
    onMessage: (message, rank) => seen.push(`message ${JSON.stringify(message)} ${rank}`),
    onOutput: (text, rank, stream) => seen.push(`${stream} ${rank} ${JSON.stringify(text)}`),
    onExit: (rank, exitCode) => seen.push(`exit ${rank} ${exitCode}`),
  });
  expect(workerNum).toBe(2);
  const results = await done;
  expect(results).toEqual([
    { rank: 0, result: { sum: Float64Array.of(21), rank: 0 } },
    { rank: 1, result: { sum: Float64Array.of(21), rank: 1 } },
  ]);
  expect(seen.sort()).toEqual([
    'exit 0 0',
    'exit 1 0',
    'message {"progress":0.5} 0',
    'stderr 0 "é\\n"',
    'stderr 1 "é\\n"',
    'stdout 0 "rank 0 --epochs 3\\n"',
    'stdout 1 "rank 1 --epochs 3\\n"',
  ]);
});

test('states go to the ranks as data and come back as results, with all numbers', async () => {
  const text = `
    import { SyncBatchNorm } from 'syncbn';
    export function main(state) {
      const layer = new SyncBatchNorm(2);
      layer.loadStateDict(state);
      return { state: layer.stateDict(), mean: layer.runningMean };
    }`;
  const mean = [Number.NaN, -0];
  const tensor = (values: number[]) => Tensor.from(values, [values.length]);
  const data = {
    ...{ weight: tensor([1, 2]), bias: tensor([3, Number.POSITIVE_INFINITY]) },
    ...{ runningMean: tensor(mean), runningVar: tensor([5, 6]) },
    numBatchesTracked: Tensor.zeros([], 'float64'),
  };
  type Result = { state: Record<string, TensorLike>; mean: TensorLike };
  const { done } = launch<Result>(script(text), quiet(2, { data }));
  for (const { result } of await done) {
    expect([...Tensor.of(result.mean).data]).toEqual(mean);
    for (const [name, { shape, data: numbers }] of Object.entries(data)) {
      const back = Tensor.of(result.state[name]);
      expect([back.shape, [...back.data]]).toEqual([shape, [...numbers]]);
    }
  }
});

test('TypeScript, CommonJS and scripts without main run; a URL names a script as well', async () => {
  const typed = script('export const main = (n: number): number => n * 2;', 'a.mts');
  expect(await launch(pathToFileURL(typed), quiet(1, { data: 4 })).done).toEqual([
    { rank: 0, result: 8 },
  ]);
  const common = script('const main = () => "c"; module.exports = { main };', 'a.cjs');
  expect(await launch(pathToFileURL(common).href, quiet(1)).done).toEqual([
    { rank: 0, result: 'c' },
  ]);
  expect(await launch(script('export {};'), quiet(2)).done).toEqual([
    { rank: 0, result: undefined },
    { rank: 1, result: undefined },
  ]);
});

test('messages reach the ranks, and a listener does not keep a rank that is done', async () => {
  const echo = script(`
    import { parentPort } from 'node:worker_threads';
    export const main = () => new Promise((resolve) => parentPort.on('message', resolve));
  `);
  const world = launch(echo, quiet(2));
  for (const rank of [0, 1]) world.post(rank, { to: rank });
  expect((await world.done).map(({ result }) => result)).toEqual([{ to: 0 }, { to: 1 }]);
  expect(() => world.post(2, '')).toThrow(new RangeError('post: rank must be 0 to 1, got 2'));
});

describe('a rank that fails', () => {
  const pair = (failing: string) => `
    import { createGroup, getRank, init } from 'syncbn';
    export async function main() {
      await init();
      if (getRank() === 1) { ${failing} }
      else createGroup('pair', [0, 1]).barrier().wait();
    }`;

  test.each([
    ['throws', "throw new TypeError('boom')", 'rank 1 failed: TypeError: boom', 'boom'],
    ['throws no error', "throw 'text'", 'rank 1 failed: text', undefined],
    ['exits', 'process.exit(7)', 'rank 1 failed: exit code 7', undefined],
    ['exits with 256', 'process.exit(256)', /^rank 1 failed: exit code \d+$/, undefined],
    [
      'returns what cannot be copied',
      'return () => {}',
      /^rank 1 failed: TypeError: main returned what cannot be copied/,
      /DataCloneError/,
    ],
    [
      'runs out of memory',
      // Small objects: over large ones Node 26 collects for ever.
      'let a = null; for (;;) a = { a, b: [1, 2, 3, Math.random()] };',
      /^rank 1 failed: Error: Worker terminated due to reaching memory limit/,
      /memory/,
    ],
  ])('and %s is named by the error', async (_how, failing, message, cause) => {
    const limits = { resourceLimits: { maxOldGenerationSizeMb: 32 } };
    const error = await launch(script(pair(failing)), quiet(2, limits)).done.then(
      () => null,
      (reason) => reason,
    );
    expect(error).toBeInstanceOf(RankFailedError);
    expect(error.rank).toBe(1);
    expect(error.message).toMatch(message);
    if (cause !== undefined) expect(error.cause.message).toMatch(cause);
  });

  test('fails the others in their own words, with time to say so', async () => {
    const said: string[] = [];
    const onOutput = (text: string, rank: number) => said.push(`${rank}: ${text.split('\n')[0]}`);
    const world = launch(script(pair("throw new Error('boom')")), { workerNum: 2, onOutput });
    await expect(world.done).rejects.toThrow('rank 1 failed: Error: boom');
    expect(said.sort()).toEqual([
      '0: rank 0 failed: RankFailedError: rank 1 failed: Error: boom',
      '1: rank 1 failed: Error: boom',
    ]);
  });
});

test('stop ends ranks that loop, and only then resolves', async () => {
  const exits: number[] = [];
  let ready = 0;
  const loop = script(
    "import { parentPort } from 'node:worker_threads'; parentPort.postMessage(0); for (;;);",
  );
  await new Promise<void>((resolve) => {
    const world = launch(loop, {
      ...quiet(2),
      onExit: (rank) => exits.push(rank),
      onMessage: () => {
        if (++ready === 2) world.stop().then(resolve);
      },
    });
  });
  expect(exits.sort()).toEqual([0, 1]);
});

test('done says that stop ended the world; after the end, stop changes nothing', async () => {
  const world = launch(script('setInterval(() => {}, 1000);'), quiet(1));
  await world.stop();
  await expect(world.done).rejects.toThrow('stop() ended the ranks');
  const over = launch(script('export const main = () => 5;'), quiet(1));
  await over.done;
  await over.stop();
  expect(await over.done).toEqual([{ rank: 0, result: 5 }]);
});

test('mistakes are errors before anything starts', () => {
  const there = script('');
  const bad = (options: unknown) => () => launch(there, options as LaunchOptions);
  expect(() => launch('nowhere.js', quiet(1))).toThrow(
    /^launch: there is no script .*nowhere\.js$/,
  );
  expect(() => launch(new URL('https://x.org/a.js'), quiet(1))).toThrow(RangeError);
  expect(() => launch(3 as unknown as string, quiet(1))).toThrow(TypeError);
  expect(bad({ workerNum: 1.5 })).toThrow(
    new TypeError('launch: workerNum must be an integer, got 1.5'),
  );
  expect(bad({ workerNum: 0 })).toThrow(
    new RangeError('launch: workerNum must be 1 or more, got 0'),
  );
  expect(bad(quiet(1, { timeout: 0 }))).toThrow(
    'launch: timeout must be more than 0 seconds, got 0',
  );
  expect(bad(quiet(1, { startTimeout: -1 }))).toThrow('launch: startTimeout must be more than 0');
  expect(bad({ workerNum: 1, output: 'file' })).toThrow(
    "launch: output must be 'console' or 'ignore'",
  );
  expect(bad(quiet(2, { data: { f: () => 1 } }))).toThrow('could not be cloned');
});
