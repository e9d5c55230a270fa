/** The figures of the report: which curves of the runs each shows, over which range, and why. */

import type { Axis, Line, Point } from './chart.js';
import { lossDifferences, type Run } from './run.js';

/** One figure, ready to draw. */
export interface Figure {
  readonly title: string;
  readonly caption: string;
  readonly lines: readonly Line[];
  readonly axis: Axis;
  /** Length of the step axis. */
  readonly steps: number;
}

/** Least difference on the log axis, which has no zero: exact agreement lies at the bottom. */
const LEAST_DIFFERENCE = 1e-9;

/** Colours that the page defines, `--run-0` to `--run-4`; further runs begin again. */
const COLORS = 5;

/** The colour of run `index`. */
export function runColor(index: number): string {
  return `var(--run-${index % COLORS})`;
}

/** Loss, difference of the loss from the first run (with two runs or more), and accuracy. */
export function figuresOf(runs: readonly Run[]): Figure[] {
  const figures = [lossFigure(runs), accuracyFigure(runs)];
  if (runs.length > 1) figures.splice(1, 0, differenceFigure(runs));
  return figures;
}

/** Bold curves: the first run a broad pale band, so that a run on top of it shows both. */
function bold(index: number): Pick<Line, 'color' | 'width' | 'opacity'> {
  return index === 0
    ? { color: runColor(0), width: 7, opacity: 0.5 }
    : { color: runColor(index), width: 2, opacity: 1 };
}

function faint(index: number): Pick<Line, 'color' | 'width' | 'opacity'> {
  return { color: runColor(index), width: 1, opacity: 0.18 };
}

function lossFigure(runs: readonly Run[]): Figure {
  const steps = stepsOf(runs);
  const window = windowOf(steps);
  const raw = runs.map((run) => numbered(run.losses));
  const smooth = runs.map((run) => numbered(runningMean(run.losses, window)));
  // Single small batches reach far below any mean; the range is the means', the rest is cut off.
  const { low, high } = range(smooth, 1e-3, 1);
  return {
    title: 'Loss',
    caption: `Cross-entropy of the training batch. Bold: the mean of ${window} steps around each; faint: each step.`,
    lines: [
      ...raw.map((points, run) => ({ points, ...faint(run) })),
      ...smooth.map((points, run) => ({ points, ...bold(run) })),
    ],
    axis: { name: 'loss', log: true, min: nice(low / 2), max: nice(high * 2), format: String },
    steps,
  };
}

function differenceFigure(runs: readonly Run[]): Figure {
  const steps = stepsOf(runs);
  const window = windowOf(steps);
  const differences = runs
    .slice(1)
    .map((run) => lossDifferences(run, runs[0]).map((d) => Math.max(d, LEAST_DIFFERENCE)));
  const raw = differences.map(numbered);
  const smooth = differences.map((values) => numbered(geometricMean(values, window)));
  const { low, high } = range(raw, LEAST_DIFFERENCE, 1);
  return {
    title: `Difference of the loss from “${runs[0].name}”`,
    caption: `Relative difference at the same step. Bold: the geometric mean of ${window} steps around each; faint: each step. Float32 keeps about 10⁻⁷. Differences below ${power(LEAST_DIFFERENCE)}, exact agreement among them, are drawn at ${power(LEAST_DIFFERENCE)}.`,
    lines: [
      ...raw.map((points, run) => ({ points, ...faint(run + 1) })),
      ...smooth.map((points, run) => ({ points, ...bold(run + 1) })),
    ],
    axis: {
      name: 'relative difference',
      log: true,
      min: 10 ** Math.floor(Math.log10(low)),
      max: 10 ** Math.max(0, Math.ceil(Math.log10(high))),
      format: power,
    },
    steps,
  };
}

function accuracyFigure(runs: readonly Run[]): Figure {
  const curves = runs.map((run) =>
    run.accuracies.map(({ step, accuracy }): Point => [step, 100 * accuracy]),
  );
  // The first measurements, of a network that knows nothing, would flatten all the others.
  const settled = curves.map((points) => points.slice(Math.ceil(points.length / 5)));
  const { low } = range(settled, 0, 100);
  return {
    title: 'Test accuracy',
    caption: 'Share of the test digits that the network names correctly.',
    lines: curves.map((points, run) => ({ points, ...bold(run), marked: true })),
    axis: {
      name: 'test accuracy',
      log: false,
      min: Math.max(0, Math.floor(low / 5) * 5 - 5),
      max: 100,
      format: (value) => `${value} %`,
    },
    steps: stepsOf(runs),
  };
}

function stepsOf(runs: readonly Run[]): number {
  return Math.max(1, ...runs.map((run) => run.losses.length));
}

/** Steps that a bold curve averages: odd, about a twentieth of all. */
function windowOf(steps: number): number {
  return 2 * Math.floor(steps / 40) + 1;
}

/** Points of the `values` that a log axis can show, the first at step 1. */
function numbered(values: readonly number[]): Point[] {
  return values
    .map((value, index): Point => [index + 1, value])
    .filter(([, value]) => value > 0 && value < Number.POSITIVE_INFINITY);
}

/** Mean over `window` values around each, fewer at the ends; values that are not finite spread. */
function runningMean(values: readonly number[], window: number): number[] {
  const half = (window - 1) / 2;
  return values.map((_, i) => {
    const near = values.slice(Math.max(0, i - half), i + half + 1);
    return near.reduce((sum, value) => sum + value, 0) / near.length;
  });
}

function geometricMean(values: readonly number[], window: number): number[] {
  return runningMean(values.map(Math.log), window).map(Math.exp);
}

/** Smallest and largest value of the curves, or the given ones where there is none. */
function range(curves: readonly (readonly Point[])[], low: number, high: number) {
  const values = curves.flat().map(([, value]) => value);
  if (values.length === 0) return { low, high };
  const least = (a: number, b: number) => Math.min(a, b);
  const most = (a: number, b: number) => Math.max(a, b);
  return { low: values.reduce(least), high: values.reduce(most) };
}

/** The nearest of 1, 2, 5, 10, ... times a power of ten to `value`, which is positive. */
function nice(value: number): number {
  const unit = Math.floor(Math.log10(value));
  const steps = [1, 2, 5, 10].map((step) => Number(`${step}e${unit}`));
  const ratio = (step: number) => Math.abs(Math.log(step / value));
  return steps.reduce((best, step) => (ratio(step) < ratio(best) ? step : best));
}

/** `10⁻⁷` for 1e-7. */
function power(value: number): string {
  const digits = [...String(Math.round(Math.log10(value)))];
  return `10${digits.map((digit) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(digit)]).join('')}`;
}
