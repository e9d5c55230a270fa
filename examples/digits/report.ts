/**
 * The page that the demo leaves behind: one HTML file with its style and its drawings inside,
 * without scripts and without a single reference to the network.
 */

import { writeFileSync } from 'node:fs';
import { drawBars } from './bars.js';
import { drawChart, type Size } from './chart.js';
import { type Figure, figuresOf, runColor } from './figures.js';
import { speedBars } from './pictures.js';
import { SPEED_BATCH } from './plans.js';
import { REPORT_STYLE } from './report-style.js';
import { type Run, SUMMARY_HEADS, summaryRow } from './run.js';

export type { Run } from './run.js';

/** What was set for the runs, as shown: `{ 'learning rate': 0.01, data: 'drawn digits' }`. */
export type Settings = Readonly<Record<string, string | number>>;

const WIDE: Size = { width: 920, height: 360, fontSize: 13 };
const NARROW: Size = { width: 340, height: 270, fontSize: 12 };

/**
 * Writes the report of `runs` to the file `path`. Differences are from the first run.
 * @param speeds runs that measured speed on more and more ranks; there may be none
 * @throws RangeError when there is no run
 */
export function writeReport(
  path: string,
  runs: readonly Run[],
  speeds: readonly Run[],
  settings: Settings,
): void {
  writeFileSync(path, reportHtml(runs, speeds, settings));
}

/** The text of the report; see {@link writeReport}. */
export function reportHtml(
  runs: readonly Run[],
  speeds: readonly Run[],
  settings: Settings,
): string {
  if (runs.length === 0) throw new RangeError('writeReport: there must be at least one run, got 0');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Synchronized batch normalization on handwritten digits</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
<h1>Synchronized batch normalization on handwritten digits</h1>
${introduction(runs)}
${figuresOf(runs)
  .map((figure, index) => figureHtml(figure, `figure-${index}`, runs))
  .join('\n')}
${tableHtml(runs)}
${speedHtml(speeds)}
${settingsHtml(settings)}
</main>
</body>
</html>
`;
}

function introduction(runs: readonly Run[]): string {
  const ways = runs.map((run) => `<b>${escapeHtml(run.name)}</b> (${spread(run)})`);
  return `<p>A small convolutional network with batch normalization learnt handwritten digits ${times(runs.length)}: ${ways.join('; ')}. Every run began with the same weights and saw the same digits in the same order; only the ranks that share a batch, and the samples that the layers normalise over, differ. Ranks that synchronize take mean and variance over the samples of all ranks, and so compute what one rank with the whole batch computes, up to the rounding of float32. Ranks that normalise alone take them over their own samples, and train another network.</p>
${scarcity(Math.min(...runs.map(({ samplesPerRank }) => samplesPerRank)))}`;
}

/** Why so few samples are not enough for a rank alone. */
function scarcity(samples: number): string {
  const values = samples === 1 ? '1 value' : `${samples} values`;
  const two =
    samples === 2
      ? ' Two values, normalised, are always −1 and +1: the layer passes on which of them is larger, and nothing of how much. So the gradient that comes back through it is almost 0, the layers below it learn next to nothing, and the test, which normalises by the running statistics, meets values that training never saw.'
      : '';
  return `<p>The convolutions’ channels have 784 and 196 values in each sample, so that a few samples are enough for their statistics. The dense layer’s channels have one value in each sample: a rank that normalises alone takes their mean and variance over ${values}.${two}</p>`;
}

function times(count: number): string {
  return ['no times', 'once', 'twice', 'three times'][count] ?? `${count} times`;
}

function spread({ ranks, samplesPerRank }: Run): string {
  const samples = `${samplesPerRank} ${samplesPerRank === 1 ? 'sample' : 'samples'}`;
  return ranks === 1 ? `1 rank, ${samples} a step` : `${ranks} ranks, ${samples} each a step`;
}

function figureHtml(figure: Figure, id: string, runs: readonly Run[]): string {
  return `<figure>
<figcaption>
<h2>${escapeHtml(figure.title)}</h2>
<p>${escapeHtml(figure.caption)}</p>
</figcaption>
${legend(figure, runs)}
<div class="wide">${drawing(figure, `${id}-wide`, WIDE)}</div>
<div class="narrow">${drawing(figure, `${id}-narrow`, NARROW)}</div>
</figure>`;
}

function drawing({ lines, axis, steps, title }: Figure, id: string, size: Size): string {
  const svg = drawChart(id, lines, axis, steps, size);
  return svg.replace('<svg ', `<svg role="img" aria-label="${escapeHtml(title)}, curves" `);
}

/** The runs that the figure shows, each with a line as it is drawn. */
function legend({ lines }: Figure, runs: readonly Run[]): string {
  const items = runs.map((run, index) => {
    const color = runColor(index);
    if (!lines.some((line) => line.color === color)) return '';
    const band = index === 0 ? ' band' : '';
    return `<li><span class="swatch${band}" style="background:${color}"></span>${escapeHtml(run.name)}</li>`;
  });
  return `<ul class="legend">${items.join('')}</ul>`;
}

/** Samples a second by ranks; nothing if there is nothing to compare. */
function speedHtml(speeds: readonly Run[]): string {
  if (speeds.length < 2) return '';
  const picture = (id: string, size: Size) =>
    drawBars(id, speedBars(speeds), size).replace(
      '<svg ',
      '<svg role="img" aria-label="Samples a second, bars" ',
    );
  return `<figure>
<figcaption>
<h2>Samples a second by ranks</h2>
<p>Synchronized training with batches of ${SPEED_BATCH} samples, which the ranks share: the median of ${speeds[0].losses.length} steps. In brackets: how many times as fast as one rank.</p>
</figcaption>
<div class="wide">${picture('speed-wide', WIDE)}</div>
<div class="narrow">${picture('speed-narrow', NARROW)}</div>
</figure>`;
}

/** The figures of the table with a column for each run: so they fit on a phone. */
function tableHtml(runs: readonly Run[]): string {
  const columns = runs.map((run) => summaryRow(run, runs[0]).map(escapeHtml));
  const [names, ...rows] = SUMMARY_HEADS.map((head, row) => ({
    head: escapeHtml(head),
    cells: columns.map((column) => column[row]),
  }));
  const heads = names.cells.map((name) => `<th scope="col">${name}</th>`).join('');
  const body = rows.map(
    ({ head, cells }) =>
      `<tr><th scope="row">${head}</th>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`,
  );
  return `<section>
<h2>Summary</h2>
<div class="scroll"><table>
<thead><tr><td></td>${heads}</tr></thead>
<tbody>${body.join('\n')}</tbody>
</table></div>
</section>`;
}

function settingsHtml(settings: Settings): string {
  const entries = Object.entries(settings);
  if (entries.length === 0) return '';
  const items = entries.map(
    ([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(String(value))}</dd>`,
  );
  return `<section>\n<h2>Settings</h2>\n<dl>${items.join('\n')}</dl>\n</section>`;
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' };
  return text.replace(/[&<>"]/g, (character) => `&${names[character]};`);
}
