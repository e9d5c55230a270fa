/** A program in a pseudo-terminal, and what stands on its screen. */

import { type ChildProcess, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';

export const COLUMNS = 40;

/** The little of a terminal that is needed here: rows of text, without an end. */
class Screen {
  rows = [''];
  #row = 0;
  #column = 0;
  #wraps = true;

  write(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is read here
    for (const [token, number, command] of text.matchAll(/\x1b\[\??(\d*)([A-Za-z])|./gs)) {
      if (token === '\r') this.#column = 0;
      else if (token === '\n') this.#down();
      else if (command === undefined) this.#put(token);
      else if (command === 'A') this.#row = Math.max(0, this.#row - Number(number || 1));
      else if (command === 'J') this.#eraseBelow();
      else if (number === '7' && /[hl]/.test(command)) this.#wraps = command === 'h';
      else if (command !== 'm')
        throw new Error(`the screen does not know ${JSON.stringify(token)}`);
    }
  }

  #down(): void {
    this.#row++;
    this.rows[this.#row] ??= '';
  }

  #put(character: string): void {
    if (this.#column === COLUMNS && this.#wraps) {
      this.#column = 0;
      this.#down();
    }
    const column = Math.min(this.#column, COLUMNS - 1);
    const row = this.rows[this.#row].padEnd(column);
    this.rows[this.#row] = row.slice(0, column) + character + row.slice(column + 1);
    this.#column = column + 1;
  }

  #eraseBelow(): void {
    this.rows[this.#row] = this.rows[this.#row].slice(0, this.#column);
    this.rows.splice(this.#row + 1);
  }
}

export class TerminalRun {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly #screen = new Screen();
  #drawn: () => void = () => {};

  /** @param command of a shell */
  constructor(cwd: string, command: string) {
    const inside = `stty rows 20 cols ${COLUMNS}; exec ${command}`;
    // Its own input stays open: at its end, script would end the program's.
    this.child = spawn('script', ['-qefc', inside, '/dev/null'], {
      cwd,
      env: { ...process.env, SHELL: '/bin/sh', TERM: 'xterm' },
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#screen.write(text);
      this.#drawn();
    });
    this.ended = new Promise((resolve) => this.child.on('close', resolve));
    onTestFinished(() => void this.child.kill('SIGKILL'));
  }

  get screen(): string {
    return this.#screen.rows.join('\n');
  }

  /** Resolves when `text` matches what stands on the screen. */
  shows(text: RegExp): Promise<void> {
    return new Promise((resolve) => {
      this.#drawn = () => {
        if (text.test(this.screen)) resolve();
      };
      this.#drawn();
    });
  }
}
