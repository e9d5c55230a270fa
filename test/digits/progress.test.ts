/** Progress on a terminal, in a log, and after an interruption. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { startProgress } from '../../examples/digits/progress.js';

/** Clears the line that the cursor is on; written last when a bar goes. */
const CLEAR_LINE = '\x1b[2K';
const HIDE_CURSOR = '\x1b[?25l';
const SHOW_CURSOR = '\x1b[?25h';

/** A stream that keeps what is written to it. */
class Recorder extends Writable {
  readonly isTTY: boolean;
  readonly columns = 100;
  text = '';

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function listeners(): number[] {
  return ['SIGINT', 'SIGTERM', 'exit'].map((event) => process.listenerCount(event));
}

describe('startProgress without a terminal', () => {
  it('prints a line for each tenth of the way, and nothing else', () => {
    const stream = new Recorder(false);
    const progress = startProgress('one rank', 200, stream);
    for (let step = 1; step <= 200; step++) progress.update(step, { loss: 1 / step });
    progress.stop();
    const lines = stream.text.trimEnd().split('\n');
    expect(lines).toHaveLength(10);
    expect(lines[0]).toBe('one rank: 20/200 steps, loss 0.0500');
    expect(lines[9]).toBe('one rank: 200/200 steps, loss 0.0050');
  });

  it('prints at most ten lines, the last at the end, for any number of steps', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), (total) => {
        const stream = new Recorder(false);
        const progress = startProgress('run', total, stream);
        for (let step = 1; step <= total; step++) progress.update(step, { loss: 1 });
        progress.stop();
        const lines = stream.text.trimEnd().split('\n');
        expect(lines).toHaveLength(Math.min(10, total));
        expect(lines.at(-1)).toBe(`run: ${total}/${total} steps, loss 1.0000`);
        expect(stream.text).not.toContain('\x1b');
      }),
    );
  });

  it('says where a run stopped short, once', () => {
    const stream = new Recorder(false);
    const progress = startProgress('run', 100, stream);
    progress.update(7, { loss: Number.NaN });
    progress.stop();
    progress.stop();
    progress.update(50, { loss: 1 });
    expect(stream.text).toBe('run: 7/100 steps, loss NaN\n');
  });

  it('does not repeat the line of a tenth when it stops there', () => {
    const stream = new Recorder(false);
    const progress = startProgress('run', 100, stream);
    progress.update(10, { loss: 1 });
    progress.stop();
    expect(stream.text).toBe('run: 10/100 steps, loss 1.0000\n');
  });

  it('says nothing of a run that never began', () => {
    const stream = new Recorder(false);
    startProgress('run', 100, stream).stop();
    expect(stream.text).toBe('');
  });
});

describe('startProgress on a terminal', () => {
  it('draws a bar at once, and replaces it by one line at the end', () => {
    const stream = new Recorder(true);
    const before = listeners();
    const progress = startProgress('4 ranks {alone}', 100, stream);
    expect(stream.text).toContain(`4 ranks alone [${'-'.repeat(16)}] 0/100 | loss -`);
    progress.update(100, { loss: 0.25 });
    progress.stop();
    const after = stream.text.slice(stream.text.lastIndexOf(CLEAR_LINE) + CLEAR_LINE.length);
    expect(after).toBe('4 ranks {alone}: 100/100 steps, loss 0.2500\n');
    expect(stream.text).toContain(`[${'='.repeat(16)}] 100/100 | loss 0.2500`);
    expect(stream.text.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(
      stream.text.lastIndexOf(HIDE_CURSOR),
    );
    expect(listeners()).toEqual(before);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'leaves nothing behind on %s, and dies of it',
    async (signal) => {
      const fixture = fileURLToPath(new URL('fixture-interrupt.ts', import.meta.url));
      const child = spawn(process.execPath, ['--import', 'tsx', fixture]);
      let screen = '';
      child.stderr.on('data', (chunk) => {
        screen += chunk;
      });
      await once(child.stdout, 'data');
      child.kill(signal);
      const [code, death] = await once(child, 'close');
      expect([code, death]).toEqual([null, signal]);
      expect(screen).toContain('run [');
      expect(screen.endsWith(CLEAR_LINE)).toBe(true);
      expect(screen.lastIndexOf(SHOW_CURSOR)).toBeGreaterThan(screen.lastIndexOf(HIDE_CURSOR));
    },
  );
});

describe('startProgress', () => {
  it.each([0, -1, 2.5, Number.NaN])('rejects a total of %d steps', (total) => {
    expect(() => startProgress('run', total, new Recorder(false))).toThrow(
      `startProgress: total must be a positive number of steps, got ${total}`,
    );
  });
});
