/** Which bars show a run's accuracy and speed, and the accuracies as a picture of its own. */

import { type Bar, drawBars } from './bars.js';
import { runColor } from './figures.js';
import { LIGHT } from './report-style.js';
import { type Run, samplesPerSecond } from './run.js';

const SIZE = { width: 720, fontSize: 15 };

/** The last measured accuracy of each run. */
export function accuracyBars(runs: readonly Run[]): Bar[] {
  return runs.map((run, index) => {
    const share = run.accuracies.at(-1)?.accuracy ?? Number.NaN;
    const text = Number.isNaN(share) ? '-' : `${(100 * share).toFixed(1)} %`;
    return { name: run.name, value: share, text, color: runColor(index) };
  });
}

/** The speed of each run, and how many times that of the first it is. */
export function speedBars(runs: readonly Run[]): Bar[] {
  return runs.map((run, index) => {
    const value = samplesPerSecond(run);
    const ratio = value / samplesPerSecond(runs[0]);
    const text = `${Math.round(value)}${index === 0 ? '' : ` (${ratio.toFixed(2)} ×)`}`;
    const name = run.ranks === 1 ? '1 rank' : `${run.ranks} ranks`;
    return { name, value, text, color: 'var(--run-1)' };
  });
}

/** An SVG file with the accuracies, on a white ground, which pages in dark colours need. */
export function accuracyPicture(runs: readonly Run[]): string {
  const bars = accuracyBars(runs);
  const svg = drawBars('accuracy', bars, SIZE);
  const title = `Test accuracy: ${bars.map(({ name, text }) => `${name} ${text}`).join(', ')}`;
  const ground = '<rect width="100%" height="100%" fill="#ffffff"/>';
  return `${svg.replace(/(<svg [^>]*>)/, `$1<title>${title}</title><style>svg { ${LIGHT} }</style>${ground}`)}\n`;
}
