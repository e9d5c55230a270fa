/** The report: complete, by itself, and with the curves where the runs put them. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { figuresOf } from '../../examples/digits/figures.js';
import { reportHtml, writeReport } from '../../examples/digits/report.js';
import { fallingLosses, runOf, THREE_RUNS, TWO_SPEEDS } from './runs.js';

/** The lines of figure `index` whose colour is that of run `run`: faint first, then bold. */
function linesOf(runs: typeof THREE_RUNS, index: number, run: number) {
  return figuresOf(runs)[index].lines.filter(({ color }) => color === `var(--run-${run})`);
}

/** Texts of the cells in the table's row under `head`. */
function rowOf(html: string, head: string): string[] {
  const row = html.split('<tr>').find((text) => text.includes(`>${head}</th>`)) ?? '';
  return [...row.matchAll(/<td>([^<]*)<\/td>/g)].map(([, cell]) => cell);
}

describe('writeReport', () => {
  const html = reportHtml(THREE_RUNS, TWO_SPEEDS, {
    'learning rate': 0.02,
    data: 'drawn <digits>',
  });

  it('writes the page to the path', () => {
    const dir = mkdtempSync(join(tmpdir(), 'report-'));
    writeReport(join(dir, 'report.html'), THREE_RUNS, TWO_SPEEDS, { data: 'drawn' });
    const written = readFileSync(join(dir, 'report.html'), 'utf8');
    rmSync(dir, { recursive: true });
    expect(written).toBe(reportHtml(THREE_RUNS, TWO_SPEEDS, { data: 'drawn' }));
  });

  it('needs no script and no network', () => {
    const page = html.replace(/ xmlns(:xlink)?="http:\/\/www\.w3\.org\/[^"]*"/g, '');
    expect(page).not.toMatch(/https?:|<script|<link|<img|@import|\ssrc=|\shref=|url\((?!#)/);
  });

  it('draws loss, difference, accuracy and speed, each wide and narrow', () => {
    const titles = [...html.matchAll(/<h2>([^<]*)<\/h2>/g)].map(([, title]) => title);
    expect(titles).toEqual([
      'Loss',
      'Difference of the loss from “one rank”',
      'Test accuracy',
      'Summary',
      'Samples a second by ranks',
      'Settings',
    ]);
    expect(html.match(/<svg /g)).toHaveLength(8);
    expect(html.match(/<path [^>]*stroke="var\(--run-1\)"/g)?.length).toBeGreaterThanOrEqual(10);
  });

  it('defines every colour that it uses, for light and for dark', () => {
    const used = new Set([...html.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name));
    expect(used.size).toBeGreaterThan(6);
    for (const name of used) expect(html.split(`${name}: #`), name).toHaveLength(3);
  });

  it('uses each id once, so that no drawing is clipped by another', () => {
    const ids = [...html.matchAll(/\sid="([^"]*)"/g)].map(([, id]) => id);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('tabulates a column for each run', () => {
    expect(rowOf(html, 'steps')).toEqual(['200', '200', '200']);
    expect(rowOf(html, 'test accuracy')).toEqual(['96.3 %', '96.3 %', '96.3 %']);
    expect(rowOf(html, 'largest relative difference of the loss, all steps')).toEqual([
      '-',
      '1.0e-5',
      '0.5',
    ]);
  });

  it('says why two samples are not enough for a rank alone, and only then', () => {
    expect(html).toContain('over 2 values. Two values, normalised, are always −1 and +1');
    const four = reportHtml([runOf('run', [1], { samplesPerRank: 4 })], [], {});
    expect(four).toContain('over 4 values.</p>');
  });

  it('draws the speed by ranks when there is more than one to compare', () => {
    expect(html).toContain('batches of 64 samples');
    for (const text of ['1 rank', '640', '2 ranks', '1088 (1.70 ×)']) {
      expect(html).toContain(`>${text}</text>`);
    }
    expect(reportHtml(THREE_RUNS, [TWO_SPEEDS[0]], {})).not.toContain('Samples a second by ranks');
  });

  it('shows settings and names as text, whatever they hold', () => {
    expect(html).toContain('<dt>learning rate</dt><dd>0.02</dd>');
    expect(html).toContain('<dd>drawn &lt;digits&gt;</dd>');
    const named = reportHtml([runOf('<b>"a" & b', [1, 2])], [], {});
    expect(named).toContain('&lt;b&gt;&quot;a&quot; &amp; b');
    expect(named).not.toContain('<b>"a"');
    expect(named).not.toContain('Settings');
  });

  it('says how each run was spread over ranks', () => {
    expect(html).toContain('<b>one rank</b> (1 rank, 8 samples a step)');
    expect(html).toContain('<b>4 ranks, each alone</b> (4 ranks, 2 samples each a step)');
    expect(html).toContain('three times');
  });

  it('leaves the difference out when there is one run, and refuses none', () => {
    expect(reportHtml([THREE_RUNS[0]], [], {}).match(/<svg /g)).toHaveLength(4);
    expect(() => reportHtml([], [], {})).toThrow(
      'writeReport: there must be at least one run, got 0',
    );
  });

  it('draws whatever training gives: nothing, zeros, numbers that are not finite', () => {
    const loss = fc.oneof(
      fc.double({ min: 0, max: 1e6 }),
      fc.constantFrom(0, Number.NaN, Number.POSITIVE_INFINITY),
    );
    fc.assert(
      fc.property(fc.array(loss), fc.array(loss), (a, b) => {
        const page = reportHtml([runOf('a', a), runOf('b', b, { accuracies: [] })], [], {});
        const drawings = page.slice(page.indexOf('<svg'), page.lastIndexOf('</svg>'));
        expect(drawings).not.toMatch(/NaN|Infinity|undefined/);
      }),
      { numRuns: 15 },
    );
  });
});

describe('figuresOf', () => {
  it('shows each step of the loss faintly, and its mean bold', () => {
    const [faint, bold] = linesOf(THREE_RUNS, 0, 2);
    expect(faint.points.map(([, loss]) => loss)).toEqual(THREE_RUNS[2].losses);
    expect(bold.points).toHaveLength(200);
    expect([bold.points[0][0], bold.points.at(-1)?.[0]]).toEqual([1, 200]);
    expect(bold.width).toBeGreaterThan(faint.width);
  });

  it('means a steady loss to itself, and a line to itself away from its ends', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 5, noNaN: true }), (loss) => {
        const steady = [runOf('steady', new Array(90).fill(loss))];
        const bold = linesOf(steady, 0, 0)[1];
        for (const [, mean] of bold.points) expect(mean).toBeCloseTo(loss, 10);
      }),
    );
    const rising = [
      runOf(
        'rising',
        Array.from({ length: 100 }, (_, step) => 1 + step),
      ),
    ];
    const middle = linesOf(rising, 0, 0)[1].points.slice(10, 90);
    for (const [step, mean] of middle) expect(mean).toBeCloseTo(step, 10);
  });

  it('draws exact agreement at the bottom of the difference, and the rest at its place', () => {
    const figure = figuresOf(THREE_RUNS)[1];
    const [faint] = linesOf(THREE_RUNS, 1, 1);
    expect(faint.points[149][1]).toBe(figure.axis.min);
    expect(faint.points[150][1]).toBeCloseTo(1e-5, 12);
    expect([figure.axis.min, figure.axis.max]).toEqual([1e-9, 1]);
    expect(figure.axis.format(1e-9)).toBe('10⁻⁹');
    expect(linesOf(THREE_RUNS, 1, 0)).toEqual([]);
  });

  it('keeps every bold loss within its axis', () => {
    const runs = [0.001, 1, 50].map((scale) =>
      runOf(
        'run',
        fallingLosses(120).map((loss) => scale * loss),
      ),
    );
    const { lines, axis } = figuresOf(runs)[0];
    for (const { points } of lines.slice(runs.length)) {
      for (const [, loss] of points) {
        expect(loss).toBeGreaterThan(axis.min);
        expect(loss).toBeLessThan(axis.max);
      }
    }
  });

  it('begins the accuracy where it has settled, not at the untrained network', () => {
    const accuracies = [0.1, 0.93, 0.95, 0.96, 0.97].map((accuracy, i) => ({
      step: 50 * i,
      accuracy,
    }));
    const { axis, lines } = figuresOf([runOf('run', [1, 2], { accuracies })])[1];
    expect([axis.min, axis.max]).toEqual([85, 100]);
    expect(lines[0].points[1]).toEqual([50, 93]);
  });
});
