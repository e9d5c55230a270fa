/** What has been learned so far, as charts, a table and sentences. */

import { Chart, type Curve, type Point } from './charts.js';
import { ARMS, type Arm, type Choice, nameOf, samplesPerSecond } from './experiment.js';
import type { RankMessage } from './protocol.js';

/** Steps that the loss is smoothed over. */
const SMOOTH = 20;
/** Patterns of the three runs' lines, for those who do not see their colours. */
const DASHES: { readonly [A in Arm]: number[] } = { one: [], synchronized: [8, 4], alone: [2, 3] };

/** What one run has said. */
class RunRecord {
  readonly losses: number[] = [];
  readonly accuracies: Point[] = [];
  readonly seconds: number[] = [];

  get smoothLoss(): Point[] {
    let sum = 0;
    return this.losses.map((loss, at): Point => {
      sum += loss - (at >= SMOOTH ? this.losses[at - SMOOTH] : 0);
      return [at + 1, sum / Math.min(at + 1, SMOOTH)];
    });
  }
}

const colorOf = (arm: Arm) => `var(--run-${ARMS.findIndex(({ key }) => key === arm)})`;

export class View {
  readonly #charts = {
    loss: new Chart('loss'),
    accuracy: new Chart('accuracy'),
    means: new Chart('means'),
    speeds: new Chart('speeds'),
  };
  #choice: Choice = { framework: 'jax', workers: 1, steps: 1 };
  #records = new Map<Arm, RunRecord>();
  /** Running means of each run's ranks. */
  #means = new Map<Arm, Float32Array[]>();
  #speeds: Point[] = [];
  #isStale = false;

  constructor() {
    this.#draw();
    this.#drawSpeeds();
  }

  /** Forgets the curves; the runs of `choice` begin. */
  begin(choice: Choice): void {
    this.#choice = choice;
    this.#records = new Map();
    this.#means = new Map();
    this.#refresh();
  }

  beginRun(arm: Arm): void {
    this.#records.set(arm, new RunRecord());
    // One worker has nobody to differ from.
    if (arm !== 'one') this.#means.set(arm, []);
  }

  hear(arm: Arm, message: RankMessage, rank: number): void {
    const record = this.#records.get(arm)!;
    if (message.kind === 'step') {
      record.losses.push(message.loss);
      record.seconds.push(message.seconds);
    } else if (message.kind === 'accuracy') {
      record.accuracies.push([message.step, message.accuracy]);
    } else {
      const means = this.#means.get(arm);
      if (means !== undefined) means[rank] = message.means;
    }
    this.#refresh();
  }

  addSpeed(workers: number, speed: number): void {
    this.#speeds = [...this.#speeds.filter(([at]) => at !== workers), [workers, speed] as const];
    this.#speeds.sort(([a], [b]) => a - b);
    this.#drawSpeeds();
  }

  clearSpeeds(): void {
    this.#speeds = [];
    this.#drawSpeeds();
  }

  /** Share of the test digits that the run read right at last; NaN before the first measurement. */
  accuracyOf(arm: Arm): number {
    return this.#records.get(arm)?.accuracies.at(-1)?.[1] ?? Number.NaN;
  }

  /** Draws at the next frame, however many messages come until then. */
  #refresh(): void {
    if (this.#isStale) return;
    this.#isStale = true;
    requestAnimationFrame(() => {
      this.#isStale = false;
      this.#draw();
    });
  }

  #draw(): void {
    const { steps, workers } = this.#choice;
    const runs = [...this.#records];
    const x = { name: 'step', min: 0, max: steps };
    const nothing = runs.length === 0 ? '; nothing yet' : '';
    const summary = (tell: (record: RunRecord) => string) =>
      runs.map(([arm, record]) => `${nameOf(arm, workers)}: ${tell(record)}`).join('; ') || nothing;
    this.#charts.loss.lines(
      runs.map(([arm, record]) => curve(arm, record.smoothLoss)),
      x,
      { name: 'loss', min: 0, format: (value) => value.toFixed(1) },
      `Loss by step. ${summary((record) => number(record.smoothLoss.at(-1)?.[1], 3))}`,
    );
    this.#charts.accuracy.lines(
      runs.map(([arm, record]) => ({ ...curve(arm, record.accuracies), marked: true })),
      x,
      { name: 'accuracy', min: 0, max: 1, format: percent },
      `Accuracy by step. ${summary((record) => percent(record.accuracies.at(-1)?.[1]))}`,
    );
    this.#drawMeans();
    fillLegend(workers);
    fillResults(runs, workers);
  }

  #drawMeans(): void {
    const { workers } = this.#choice;
    const all = [...this.#means].map(([arm, means]) => [arm, means.filter(Boolean)] as const);
    const told = all.map(([arm, means]) => describeMeans(means, nameOf(arm, workers)));
    const about = 'Of 16 channels of the last normalization, a curve for each worker';
    const text = [about, ...told].join('. ');
    document.getElementById('means-text')!.textContent = `${text}.`;
    this.#charts.means.lines(
      all.flatMap(([arm, means]) =>
        means.map((values) => ({
          points: [...values].map((value, channel): Point => [channel + 1, value]),
          color: colorOf(arm),
          width: 1.5,
        })),
      ),
      { name: 'channel', min: 1, max: 16 },
      { name: 'running mean', format: (value) => value.toFixed(1) },
      text,
    );
  }

  #drawSpeeds(): void {
    if (this.#speeds.length === 0) {
      this.#charts.speeds.clear('Not measured yet.');
      return;
    }
    const list = this.#speeds.map(([at, speed]) => `${at}: ${speed.toFixed(0)}`).join(', ');
    this.#charts.speeds.bars(
      this.#speeds,
      { name: 'workers' },
      { name: 'samples a second', min: 0 },
      `Samples a second by workers. ${list}`,
    );
  }
}

function curve(arm: Arm, points: readonly Point[]): Curve {
  return { points, color: colorOf(arm), dash: DASHES[arm] };
}

function describeMeans(means: readonly Float32Array[], name: string): string {
  const differences = means.flatMap((values) =>
    [...values].map((value, channel) => Math.abs(value - means[0][channel])),
  );
  const most = Math.max(0, ...differences);
  const verdict = most === 0 ? 'the same, bit for bit' : `up to ${most.toFixed(2)} apart`;
  return `${name}: ${verdict}`;
}

function percent(share: number | undefined): string {
  return share === undefined ? '–' : `${(100 * share).toFixed(0)} %`;
}

function number(value: number | undefined, digits: number): string {
  return value === undefined ? '–' : value.toFixed(digits);
}

function fillLegend(workers: number): void {
  const items = ARMS.filter(({ key }) => key === 'one' || workers > 1).map(({ key }) => {
    const item = document.createElement('li');
    const dashes = DASHES[key].join(' ');
    item.innerHTML =
      '<svg viewBox="0 0 40 8" aria-hidden="true"><line x1="0" y1="4" x2="40" y2="4" ' +
      `stroke="${colorOf(key)}" stroke-width="3" stroke-dasharray="${dashes}"/></svg>`;
    item.append(nameOf(key, workers));
    return item;
  });
  document.getElementById('legend')!.replaceChildren(...items);
}

function fillResults(runs: readonly [Arm, RunRecord][], workers: number): void {
  const rows = runs.map(([arm, record]) => {
    const row = document.createElement('tr');
    const head = document.createElement('th');
    head.scope = 'row';
    head.textContent = nameOf(arm, workers);
    const speed = record.seconds.length > 0 ? samplesPerSecond(record.seconds) : undefined;
    const cells = [
      String(record.losses.length),
      number(record.smoothLoss.at(-1)?.[1], 4),
      percent(record.accuracies.at(-1)?.[1]),
      number(speed, 0),
    ].map((text) => {
      const cell = document.createElement('td');
      cell.textContent = text;
      return cell;
    });
    row.append(head, ...cells);
    return row;
  });
  document.getElementById('results')!.replaceChildren(...rows);
}
