/** The table that the demo ends with, for a terminal: plain text, no colours. */

import Table from 'cli-table3';
import { type Run, SUMMARY_HEADS, summaryRow } from './run.js';

/** Columns of a head's lines; the heads are longer than any figure below them. */
const HEAD_WIDTH = 11;

/** The runs, one a row; differences are from the first. */
export function formatTable(runs: readonly Run[]): string {
  const table = new Table({
    head: SUMMARY_HEADS.map(wrap),
    colAligns: SUMMARY_HEADS.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [] },
  });
  table.push(...runs.map((run) => summaryRow(run, runs[0])));
  return table.toString();
}

/** `text` in lines of at most {@link HEAD_WIDTH} columns, broken between words. */
function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length <= HEAD_WIDTH) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines.join('\n');
}
