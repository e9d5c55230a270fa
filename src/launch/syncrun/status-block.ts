/**
 * The block that a terminal shows below the ranks' output while they run: the number of ranks that
 * are up, the time, and the last line of each rank. Four sequences that every terminal knows are
 * enough for it.
 */

import { stripVTControlCharacters } from 'node:util';
import { escapeLine } from '../common/foreign-text.js';

/** Most rows for ranks, and rows of the terminal that are left to output. */
const MOST_ROWS = 8;
const FREE_ROWS = 4;
/** Most bytes and characters of a line that are read; no terminal is wider. */
const LOOK = 1024;

/** The terminal cuts lines that are too long: it knows how wide characters are. */
const CUT = '\x1b[?7l';
const WRAP = '\x1b[?7h';

interface Line {
  /** The last line that was not empty. */
  readonly text: string;
  /** The text after the last line break. */
  readonly begun: string;
}

export class StatusBlock {
  readonly #ranks: string;
  readonly #height: () => number;
  readonly #start = performance.now();
  readonly #up = new Set<number>();
  /** By rank; the rank heard most recently stands last. */
  readonly #lines = new Map<number, Line>();
  #ended = 0;
  /** Rows on the terminal; null: none. */
  #drawn: readonly string[] | null = null;

  /** @param ranks words for all ranks. @param height rows of the terminal */
  constructor(ranks: string, height: () => number) {
    this.#ranks = ranks;
    this.#height = height;
  }

  started(rank: number): void {
    this.#up.add(rank);
  }

  ended(rank: number): void {
    if (this.#up.delete(rank)) this.#ended++;
  }

  heard(rank: number, bytes: Uint8Array): void {
    const { begun = '', text = '' } = this.#lines.get(rank) ?? {};
    const lines = (begun + Buffer.from(bytes.subarray(-LOOK)).toString()).split(/[\r\n]+/);
    const last = lines.findLast((line) => line.trim() !== '') ?? text;
    this.#lines.delete(rank);
    this.#lines.set(rank, { text: last, begun: (lines.at(-1) ?? '').slice(-LOOK) });
  }

  /** Returns the text that takes the block off the terminal. */
  erase(): string {
    const rows = this.#drawn?.length ?? 0;
    this.#drawn = null;
    return rows === 0 ? '' : `\r\x1b[${rows}A\x1b[J`;
  }

  /** Returns the text that brings the terminal up to date; empty when it is up to date. */
  draw(): string {
    const rows = this.#text();
    if (rows.join('\n') === this.#drawn?.join('\n')) return '';
    const erased = this.erase();
    this.#drawn = rows;
    return `${erased}${CUT}${rows.join('\n')}${WRAP}\n`;
  }

  #text(): string[] {
    const seconds = Math.floor((performance.now() - this.#start) / 1000);
    const ended = this.#ended === 0 ? '' : `${this.#ended} ended, `;
    const head = `syncrun: ${this.#up.size} of ${this.#ranks} up, ${ended}${seconds} s`;
    const room = Math.min(MOST_ROWS, this.#height() - FREE_ROWS);
    const shown = room > 0 ? [...this.#lines].slice(-room) : [];
    shown.sort(([a], [b]) => a - b);
    return [head, ...shown.map(([rank, { text }]) => `[${rank}] ${plain(text)}`)];
  }
}

/** Returns `text` without colours, and without anything that would move the cursor. */
function plain(text: string): string {
  return escapeLine(stripVTControlCharacters(text).replaceAll('\t', ' '));
}
