/** Checks of `syncbn/jax` on jax-js' webgpu device, against its wasm device. */

import assert from 'node:assert/strict';
import { launch } from 'syncbn/launch';
import {
  assertClose,
  assertCloseToLargest,
  assertFailure,
  type Check,
  type Failure,
  once,
} from './checks.js';
import { type JaxReport, type ModelName, STEPS, type Trained } from './jax-rank.js';

/** Of losses, running statistics and predictions, beside 1 + the value. */
const TOLERANCE = 1e-5;
/** Of gradients, beside the largest of all. */
const OF_GRADIENTS = 2e-5;

/** Networks to train: plain, with skip connections, with masks, with a layer at two places. */
const ALONE: readonly ModelName[] = ['mlp', 'cnn', 'siamese'];
const TOGETHER: readonly ModelName[] = ['mlp', 'sequence'];

/** @param script the compiled jax-rank.ts */
export function jaxChecks(script: URL): Check[] {
  return [...checksOn(1, script, ALONE), ...checksOn(2, script, TOGETHER)];
}

function checksOn(size: number, script: URL, names: readonly ModelName[]): Check[] {
  const on = size === 1 ? 'on one rank' : `on ${size} ranks`;
  const reports = once(async () => {
    // A device that is lost is told about on the console, too.
    const options = { workerNum: size, timeout: 60, data: names, output: 'ignore' as const };
    const results = await launch<JaxReport>(script, options).done;
    return results.map(({ result }) => result);
  });
  type Test = (report: JaxReport, first: JaxReport, rank: number) => void;
  const check = (title: string, onRank: Test): Check => ({
    title: `${on} ${title}`,
    async run() {
      const all = await reports();
      assert.equal(all.length, size);
      all.forEach((report, rank) => {
        onRank(report, all[0], rank);
      });
    },
  });
  const last = size - 1;
  /** The last rank has an error of its own, the others hear of it. */
  const assertTold = (failure: Failure, rank: number, text: RegExp) => {
    assertFailure(failure, text);
    if (rank !== last) assert.match(failure.message, new RegExp(`^rank ${last} failed`));
  };
  const atOnce = /webgpu device cannot be read at once; await done\(\)/;
  return [
    ...names.flatMap((name) => [
      check(`'${name}' has the losses and gradients of wasm`, ({ webgpu, wasm }) => {
        assertAsTrained(webgpu[name], wasm[name]);
      }),
      check(`'${name}' has the running statistics of wasm`, ({ webgpu, wasm }) => {
        const [running, expected] = [webgpu[name].running, wasm[name].running].map(joined);
        assertClose(running, expected, TOLERANCE, 'running statistics');
      }),
      check(`'${name}' predicts what wasm predicts`, ({ webgpu, wasm }) => {
        assertClose(webgpu[name].predicted, wasm[name].predicted, TOLERANCE, 'predictions');
      }),
      check(`'${name}' has the same bits everywhere`, ({ webgpu }, first) => {
        assertSameBits(webgpu[name], first.webgpu[name]);
      }),
      check(`'${name}' leaves no array behind`, ({ webgpu }) => {
        assert.equal(webgpu[name].leaked, 0);
      }),
      check(`'${name}' stores its weights in the layers`, ({ webgpu }) => {
        assert.ok(webgpu[name].stored.length > 0);
        assert.deepEqual(webgpu[name].stored, webgpu[name].trained);
      }),
    ]),
    check('webgpu and wasm train one network', ({ mixed, wasm }, first) => {
      assertSameBits(mixed, first.mixed);
      assertAsTrained(mixed, wasm.mlp);
    }),
    check('wait() is refused by name, and the next step works', ({ waiting, losses }) => {
      assertFailure(waiting, atOnce);
      assert.ok(losses[0] > 0);
    }),
    check('a rank that waits fails all at once', ({ waitingAlone, losses }, _, rank) => {
      assertTold(waitingAlone, rank, atOnce);
      assert.ok(losses[1] > 0);
    }),
    check('a batch that does not fit fails all at once', ({ failing, losses }, _, rank) => {
      assertTold(failing, rank, /shape|dot|contract/i);
      assert.ok(losses[2] > 0);
    }),
    check('a device that is lost fails all at once', ({ losing }, _, rank) => {
      assertTold(losing, rank, /webgpu device cannot be read: it is lost \(destroyed: /);
    }),
  ];
}

function assertAsTrained({ losses, gradients }: Trained, expected: Trained): void {
  assert.equal(gradients.length, STEPS);
  assertClose(losses, expected.losses, TOLERANCE, 'losses');
  gradients.forEach((own, step) => {
    const what = `gradients of step ${step}`;
    assertCloseToLargest(own, expected.gradients[step], OF_GRADIENTS, what);
  });
}

function assertSameBits({ losses, gradients, running }: Trained, first: Trained): void {
  assert.deepEqual([losses, gradients, running], [first.losses, first.gradients, first.running]);
}

function joined(arrays: readonly Float64Array[]): number[] {
  return arrays.flatMap((values) => [...values]);
}
