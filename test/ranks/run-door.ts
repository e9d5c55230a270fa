/** The adapters' door (src/layers/synchronization.ts) on one rank of a test world. */

import { createGroup, getGroupSize } from 'syncbn';
import type * as Door from '../../dist/layers/synchronization.js';

// From build/test/ranks, where this runs.
const door = new URL('../../../dist/layers/synchronization.js', import.meta.url);
const { Synchronization } = (await import(door.href)) as typeof Door;

/** One training step of a layer that is none of this package. */
export interface DoorScript {
  /** Samples x channels x plane; this rank's. */
  x: number[];
  dy: number[];
  samples: number;
  channels: number;
  plane: number;
  weight: number[] | null;
  /** Who computes: the kernels on given arrays, or the adapter itself. */
  arithmetic: 'kernels' | 'own';
  onNonFinite?: 'skip' | 'propagate' | 'throw';
  leastCount?: number;
  track?: boolean;
  /** Groups up to this size gather their moments. */
  gatherRanks?: number;
  /** What this rank does wrong before the forward call. */
  fault?: boolean;
}

export interface DoorReport {
  y: number[];
  dx: number[];
  dweight: number[];
  dbias: number[];
  /** What `track` was called with. */
  tracked: { count: number; mean: number[]; m2: number[] }[];
  skipped: number;
}

const EPS = 1e-5;

export function runDoor(script: DoorScript): DoorReport {
  const { channels, samples, plane, onNonFinite, track, leastCount } = script;
  const ranks = [...Array(getGroupSize()).keys()];
  // The package's declarations are those of src/ or of dist/, as the program that checks has them.
  const group = createGroup('door', ranks) as unknown as Group;
  const tracked: DoorReport['tracked'] = [];
  const layer = new Synchronization({
    label: "Norm 'bn1'",
    channels,
    ...(onNonFinite && { onNonFinite }),
    ...(script.gatherRanks !== undefined && { gatherRanks: script.gatherRanks }),
    track: ({ count, mean, m2 }) => tracked.push({ count, mean: [...mean], m2: [...m2] }),
  });
  const options = { ...(track !== undefined && { track }), ...(leastCount && { leastCount }) };
  layer.failing(
    () => group,
    'call',
    () => {
      layer.reserve(group);
      if (script.fault === true) throw new TypeError('no such input');
    },
  );
  const run = script.arithmetic === 'kernels' ? byKernels : byItself;
  const layout = { samples, channels, plane, channelsLast: false, dtype: 'float32' } as const;
  const passes = run(layer, script, layout, group, options);
  return { ...passes, tracked, skipped: layer.skippedUpdates };
}

type Group = Parameters<Door.Synchronization['forward']>[4];

type Run = (
  layer: Door.Synchronization,
  script: DoorScript,
  layout: Parameters<Door.Synchronization['forward']>[2],
  group: Group,
  options: Door.BatchOptions,
) => Omit<DoorReport, 'tracked' | 'skipped'>;

const byKernels: Run = (layer, script, layout, group, options) => {
  const x = Float32Array.from(script.x);
  const [y, dx] = [new Float32Array(x.length), new Float32Array(x.length)];
  const weight = script.weight && Float32Array.from(script.weight);
  const affine = { weight, bias: null, eps: EPS };
  const saved = layer.forward(y, x, layout, affine, group, options);
  // The weight may change meanwhile, and x may have moved.
  weight?.fill(0);
  const sums = layer.backward(dx, Float32Array.from(script.dy), x.slice(), saved);
  return {
    y: [...y],
    dx: [...dx],
    dweight: [...sums.dyXhat],
    dbias: [...sums.dy],
  };
};

const byItself: Run = (layer, { x, dy, weight }, { samples, channels, plane }, group, options) => {
  const channel = x.map((_, i) => Math.floor(i / plane) % channels);
  const sumOf = (values: readonly number[]) => {
    const sums = new Float64Array(channels);
    values.forEach((value, i) => {
      sums[channel[i]] += value;
    });
    return sums;
  };
  const count = samples * plane;
  const mean = sumOf(x).map((sum) => (count === 0 ? 0 : sum / count));
  const m2 = sumOf(x.map((value, i) => (value - mean[channel[i]]) ** 2));
  const merged = layer.startMerge({ count, mean, m2 }, group, options).wait();
  const invstd = merged.m2.map((sum) => 1 / Math.sqrt(sum / merged.count + EPS));
  const xhat = x.map((value, i) => (value - merged.mean[channel[i]]) * invstd[channel[i]]);
  const own = [sumOf(dy), sumOf(dy.map((value, i) => value * xhat[i]))];
  const sums = Float64Array.of(...own[0], ...own[1]);
  layer.startSum(sums, group).wait();
  const factor = (c: number) => (weight?.[c] ?? 1) * invstd[c];
  return {
    y: xhat.map((value, i) => value * (weight?.[channel[i]] ?? 1)),
    dx: dy.map((value, i) => {
      const c = channel[i];
      const part = (sums[c] + xhat[i] * sums[channels + c]) / merged.count;
      return factor(c) * (value - part);
    }),
    dweight: [...own[1]],
    dbias: [...own[0]],
  };
};
