/** Tables, for the console and for Markdown. */

import Table from 'cli-table3';

export interface Rows {
  readonly title: string;
  /** What a reader must know of the columns. */
  readonly legend: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A table for a terminal. */
export function toText({ title, legend, head, rows }: Rows): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (isNumeric(rows, column) ? 'right' : 'left')),
    style: { head: [], border: [], compact: true, 'padding-left': 1, 'padding-right': 1 },
  });
  table.push(...rows.map((row) => [...row]));
  return `${title}\n${table.toString()}\n${legend}\n`;
}

/** A section of a Markdown page. */
export function toMarkdown({ title, legend, head, rows }: Rows): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, column) => (isNumeric(rows, column) ? '---:' : '---'));
  return [`## ${title}`, '', legend, '', line(head), line(rule), ...rows.map(line), ''].join('\n');
}

function isNumeric(rows: readonly (readonly string[])[], column: number): boolean {
  return rows.some((row) => /^[\d.]/.test(row[column]));
}

/** Three digits that count, as far as a time on a shared machine has them. */
export function digits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  if (value >= 10) return value.toFixed(1);
  return value >= 0.1 ? value.toFixed(2) : value.toFixed(3);
}

/** "12.3 [11.9-13.0]": a median within its 10th and 90th percentile. */
export function spreadText(spread: { median: number; low: number; high: number }): string {
  return `${digits(spread.median)} [${digits(spread.low)}-${digits(spread.high)}]`;
}

/** How a goal stands; empty where there is none. */
export function verdict(goal: string | null, reached: boolean): string {
  return goal === null ? '' : `${goal} ${reached ? 'reached' : 'missed'}`;
}

export function ranksText(ranks: number): string {
  return ranks === 1 ? '1 rank' : `${ranks} ranks`;
}

/** Groups in the order in which their keys first appear. */
export function grouped<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return [...groups.values()];
}
