/** npm run bench -- --help. Tables go to the standard output, what is under way to the other. */

import { type Arguments, readArguments } from './arguments.js';
import { type Latency, measureLatencies } from './collectives/measure.js';
import { type Floor, measureFloors } from './floors/measure.js';
import {
  type LayerRace,
  measureScaling,
  raceLayers,
  raceSteps,
  type Scaling,
  type StepRace,
} from './frameworks/measure.js';
import { type GradientScores, measureGradients } from './gradients/measure.js';
import { measureLayers } from './layers.js';
import { thisMachine } from './machine.js';
import { type Comparison, compareLayers } from './peers/compare.js';
import { findPython, type Python } from './peers/pytorch.js';
import type { Measurement } from './rank.js';
import { savePage } from './report/page.js';
import { ranksText, toText } from './report/table.js';
import { tablesOf } from './report/tables.js';
import type { Results } from './results.js';
import { layoutsOf, type Task } from './shapes.js';
import { measureVariants, type VariantScore } from './variants/measure.js';
import { VARIANT_PARTS } from './variants/variants.js';

const words = process.argv.slice(2);
const options = readArguments(words);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));
const NO_COMPILER = 'C: no compiler, so what two passes cost at least is not known';
const notes: string[] = [];
const results = await measure(options, await pythonFor(options));
if (options.json) console.log(JSON.stringify(results, null, 2));
else printTables(results);
if (options.save !== null) savePage(results, options.save);

/** PyTorch, where it is asked for and there. */
async function pythonFor({ compare, parts, python }: Arguments): Promise<Python | null> {
  if (!compare || !(parts.includes('peers') || parts.includes('gradients'))) return null;
  const found = await findPython(python);
  if (found === null) notes.push('PyTorch: not found (--python names a Python that has it)');
  return found;
}

async function measure(
  { ranks: sizes, parts, compare, seconds, relaxed, ...rest }: Arguments,
  python: Python | null,
): Promise<Results> {
  const layers: Measurement[] = [];
  const latencies: Latency[] = [];
  const comparisons: Comparison[] = [];
  const gradients: GradientScores[] = [];
  const variants: VariantScore[] = [];
  const floors: Floor[] = [];
  for (const ranks of sizes) {
    if (parts.includes('floors')) floors.push(...(await floorsOf(ranks, rest.shapes)));
    if (parts.includes('layers')) {
      const onMeasurement = ({ task }: Measurement) => tell('layers', ranks, taskText(task));
      const tasks = tasksOf(rest.shapes, rest.dtype, rest.mean);
      layers.push(...(await measureLayers(ranks, { tasks, relaxed, seconds, onMeasurement })));
    }
    if (parts.includes('all-reduce') && ranks > 1) {
      const onLatency = ({ channels }: Latency) => tell('all-reduce', ranks, `C = ${channels}`);
      latencies.push(...(await measureLatencies(ranks, { compare, seconds, onLatency })));
    }
    if (parts.includes('gradients') && ranks > 1) {
      const onStep = (text: string) =>
        console.error(`gradients, ${ranksText(ranks)}, ${Math.round(process.uptime())} s: ${text}`);
      gradients.push(await measureGradients(ranks, compare, python, seconds, onStep));
    }
    for (const part of VARIANT_PARTS.filter((own) => parts.includes(own))) {
      const onTask = ({ shape, channelsLast }: VariantScore['task']) =>
        tell(part, ranks, `${shape} channels ${channelsLast ? 'last' : 'first'}`);
      const { shapes, mean } = rest;
      const options = { part, shapes, mean, seconds, relaxed, onTask };
      variants.push(...(await measureVariants(ranks, options)));
    }
    if (parts.includes('peers') && compare) {
      const onComparison = ({ task, work, peer }: Comparison) =>
        tell('peers', ranks, `${taskText(task)} ${work} ${peer}`);
      // What the peers compute in, and what the goals are for.
      const tasks = tasksOf(rest.shapes, 'float32', rest.mean);
      comparisons.push(
        ...(await compareLayers(ranks, { tasks, python, relaxed, seconds, onComparison })),
      );
    }
  }
  return {
    ...(await measureFrameworks(sizes, parts, seconds)),
    machine: thisMachine(),
    command: commandOf(words),
    layers,
    floors,
    latencies,
    gradients,
    comparisons,
    variants,
    notes,
  };
}

/** Networks of TensorFlow.js and jax-js. */
async function measureFrameworks(
  sizes: readonly number[],
  parts: Arguments['parts'],
  seconds: number,
): Promise<Pick<Results, 'layerRaces' | 'stepRaces' | 'scalings'>> {
  const onLayer = ({ task, work }: LayerRace) =>
    tell('tfjs', 1, `${task.backend} ${task.shape.join(' x ')} ${work}`);
  const onStep = ({ task }: StepRace) => tell('tfjs', 1, `a step of ${task.batch}`);
  const onScaling = ({ framework, task, ranks }: Scaling) =>
    tell('scaling', ranks, `${framework}, a step of ${task.batch}`);
  const races = parts.includes('tfjs');
  return {
    layerRaces: races ? await raceLayers(seconds, onLayer) : [],
    stepRaces: races ? await raceSteps(seconds, onStep) : [],
    scalings: parts.includes('scaling') ? await measureScaling(sizes, seconds, onScaling) : [],
  };
}

/** What C needs, where there is a compiler. */
async function floorsOf(ranks: number, shapes: Arguments['shapes']): Promise<readonly Floor[]> {
  const floors = await measureFloors(ranks, shapes);
  if (floors === null && notes.every((note) => note !== NO_COMPILER)) notes.push(NO_COMPILER);
  return floors ?? [];
}

function tasksOf(shapes: Arguments['shapes'], dtype: Task['dtype'], mean: number): Task[] {
  return shapes.flatMap((shape) =>
    layoutsOf(shape).map((channelsLast) => ({ shape, channelsLast, dtype, mean })),
  );
}

function taskText({ shape, channelsLast }: Task): string {
  return `${shape} channels ${channelsLast ? 'last' : 'first'}`;
}

function tell(part: string, ranks: number, text: string): void {
  console.error(`measured ${part}, ${ranksText(ranks)}: ${text}`);
}

function printTables(results: Results): void {
  for (const rows of tablesOf(results)) console.log(toText(rows));
  for (const note of results.notes) console.log(note);
}

/** What was typed, without paths of this machine. */
function commandOf(typed: readonly string[]): string {
  const shown = typed.map((word, i) => {
    const before = typed[i - 1];
    if (before === '--python' || (before === '--save' && !word.startsWith('-'))) return 'PATH';
    return word.replace(/^(--python|--save)=.*/, '$1=PATH');
  });
  return ['npm run bench', ...(shown.length > 0 ? ['--', ...shown] : [])].join(' ');
}
