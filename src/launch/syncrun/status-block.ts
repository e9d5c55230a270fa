/**
 * What a terminal shows below the ranks' output while they run: how many are up, for how long, and
 * the last line of each. Four sequences that every terminal knows are enough for it.
 */

import { stripVTControlCharacters } from 'node:util';
import { escapeLine } from '../common/foreign-text.js';

/** Rows for ranks, and rows of the terminal that are left to output. */
const MOST_ROWS = 8;
const FREE_ROWS = 4;
/** Bytes and characters of a line that are looked at; no terminal is wider. */
const LOOK = 1024;

/** The terminal cuts lines that are too long: it knows how wide characters are. */
const CUT = '\x1b[?7l';
const WRAP = '\x1b[?7h';

interface Line {
  /** The last that was not empty. */
  readonly text: string;
  /** What came behind the last line break. */
  readonly begun: string;
}

export class StatusBlock {
  readonly #ranks: string;
  readonly #height: () => number;
  readonly #start = performance.now();
  readonly #up = new Set<number>();
  /** By rank; the one that was heard last stands last. */
  readonly #lines = new Map<number, Line>();
  #ended = 0;
  /** What is on the terminal; null: nothing. */
  #drawn: readonly string[] | null = null;

  /** @param ranks words for all of them. @param height rows of the terminal */
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

  /** What takes the block off the terminal. */
  erase(): string {
    const rows = this.#drawn?.length ?? 0;
    this.#drawn = null;
    return rows === 0 ? '' : `\r\x1b[${rows}A\x1b[J`;
  }

  /** What brings the terminal up to date; empty when it is. */
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

/** `text` without colours, and without what would move the cursor. */
function plain(text: string): string {
  return escapeLine(stripVTControlCharacters(text).replaceAll('\t', ' '));
}
