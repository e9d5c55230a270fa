/** The page: what its buttons do. */

import { splitDigits } from '../../digits/dataset.js';
import { drawDigits } from '../../digits/draw.js';
import { ARMS, type Choice, Experiment, nameOf } from './experiment.js';
import { showReading } from './odds.js';
import { Pad } from './pad.js';
import { describePlatform, isIsolated, missing } from './platform.js';
import { FRAMEWORKS, type Framework } from './protocol.js';
import { View } from './view.js';
import type { Weights } from './weights.js';

const find = <E extends HTMLElement>(id: string) => document.getElementById(id) as E;
const [start, speed, stop] = ['start', 'speed', 'stop'].map((id) => find<HTMLButtonElement>(id));
const framework = find<HTMLSelectElement>('framework');
const workers = find<HTMLInputElement>('workers');
const steps = find<HTMLSelectElement>('steps');

const MOST_WORKERS = Number(workers.max);

/** 4,000 digits as a hand might write them; the last 400 are kept from training. */
const digits = splitDigits(drawDigits(4000, 1));
const experiment = new Experiment(digits);
const view = new View();
const pad = new Pad(find('paper'), readPaper, (text) => {
  find('verdict').textContent = text;
});
/** The network that was trained last. */
let weights: Weights | null = null;

function choice(): Choice {
  return {
    framework: framework.value as Framework,
    workers: Number(workers.value),
    steps: Number(steps.value),
  };
}

function say(text: string, share: number): void {
  find('status').textContent = text;
  find<HTMLProgressElement>('progress').value = share;
}

function readPaper(): void {
  showReading(pad.isEmpty ? null : pad.image(), weights);
}

async function trainAll(): Promise<void> {
  const chosen = choice();
  const arms = ARMS.map(({ key }) => key).filter((arm) => arm === 'one' || chosen.workers > 1);
  view.begin(chosen);
  for (const [at, arm] of arms.entries()) {
    const name = nameOf(arm, chosen.workers);
    view.beginRun(arm);
    say(`${name}: starting`, at / arms.length);
    await experiment.train(arm, chosen, (message, rank) => {
      view.hear(arm, message, rank);
      if (message.kind === 'step') {
        const share = (at + message.step / chosen.steps) / arms.length;
        find<HTMLProgressElement>('progress').value = share;
      } else if (message.kind === 'accuracy') {
        // Now and then, so that a screen reader can follow.
        const right = (100 * message.accuracy).toFixed(0);
        find('status').textContent = `${name}: step ${message.step}, ${right} % of digits right`;
        // Those who normalize alone end with statistics of one worker: not the network to show.
        if (arm !== 'alone') weights = message.weights;
        if (!pad.isEmpty) readPaper();
      }
    });
  }
  const told = arms.map(
    (arm) => `${nameOf(arm, chosen.workers)} ${(100 * view.accuracyOf(arm)).toFixed(0)} %`,
  );
  say(`Done. Digits read right: ${told.join('; ')}.`, 1);
  readPaper();
}

async function measureSpeed(): Promise<void> {
  const { framework, workers: most } = choice();
  view.clearSpeeds();
  const counts = [1, 2, 3, 4, 6, 8].filter((count) => count <= most);
  for (const [at, count] of counts.entries()) {
    say(`Speed of ${count === 1 ? 'one worker' : `${count} workers`}`, at / counts.length);
    view.addSpeed(count, await experiment.speed(framework, count));
  }
  say('Done: the speeds are measured.', 1);
}

/** Runs `task`; the buttons allow for one at a time. */
async function run(task: () => Promise<void>): Promise<void> {
  setBusy(true);
  let isStopped = false;
  stop.onclick = () => {
    isStopped = true;
    void experiment.stop();
  };
  try {
    await task();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    find('status').textContent = isStopped ? 'Stopped.' : `Failed: ${text}`;
  } finally {
    setBusy(false);
  }
}

function setBusy(isBusy: boolean): void {
  start.disabled = isBusy;
  speed.disabled = isBusy;
  stop.disabled = !isBusy;
}

/** TensorFlow.js cannot await other ranks: without shared memory it has one worker. */
function showWorkers(): void {
  workers.max = String(isIsolated || framework.value === 'jax' ? MOST_WORKERS : 1);
  find('workers-shown').textContent = workers.value;
}

function showExample(): void {
  const at = Math.floor(Math.random() * digits.test.count);
  const image = digits.test.images.subarray(at * 784, (at + 1) * 784);
  pad.show(image);
  showReading(
    Float32Array.from(image, (ink) => ink / 255),
    weights,
  );
}

/** Takes the choice over from the address: ?framework=tfjs&workers=2&steps=50. */
function readAddress(): void {
  const asked = new URLSearchParams(location.search);
  const [name, count, length] = ['framework', 'workers', 'steps'].map((key) => asked.get(key));
  if (name !== null && name in FRAMEWORKS) framework.value = name;
  if (count !== null) workers.value = count;
  if (length === null || !/^[1-9]\d{0,4}$/.test(length)) return;
  if (![...steps.options].some(({ value }) => value === length)) steps.add(new Option(length));
  steps.value = length;
}

for (const [key, name] of Object.entries(FRAMEWORKS)) framework.add(new Option(name, key));
readAddress();
workers.addEventListener('input', showWorkers);
framework.addEventListener('change', showWorkers);
showWorkers();
find('controls').addEventListener('submit', (event) => {
  event.preventDefault();
  void run(trainAll);
});
speed.addEventListener('click', () => void run(measureSpeed));
find('clear').addEventListener('click', () => pad.clear());
find('example').addEventListener('click', showExample);
const notes = missing();
find('missing').hidden = notes.length === 0;
find('missing').replaceChildren(
  ...notes.map((note) => Object.assign(document.createElement('p'), { textContent: note })),
);
find('platform').textContent = describePlatform();
setBusy(false);
