/** Bars of accuracy and speed, and the picture that README shows. */

import { describe, expect, it } from 'vitest';
import { accuracyBars, accuracyPicture, speedBars } from '../../examples/digits/pictures.js';
import { runOf, THREE_RUNS, TWO_SPEEDS } from './runs.js';

describe('accuracyBars', () => {
  it('gives the last accuracy of each run in the colour of its curves', () => {
    const runs = [...THREE_RUNS, runOf('untested', [1], { accuracies: [] })];
    expect(accuracyBars(runs).map(({ name, text, color }) => [name, text, color])).toEqual([
      ['one rank', '96.3 %', 'var(--run-0)'],
      ['4 ranks, synchronized', '96.3 %', 'var(--run-1)'],
      ['4 ranks, each alone', '96.3 %', 'var(--run-2)'],
      ['untested', '-', 'var(--run-3)'],
    ]);
  });
});

describe('speedBars', () => {
  it('gives samples a second, and how many times those of the first run they are', () => {
    const bars = speedBars(TWO_SPEEDS);
    expect(bars.map(({ name, text }) => [name, text])).toEqual([
      ['1 rank', '640'],
      ['2 ranks', '1088 (1.70 ×)'],
    ]);
    expect(bars[1].value / bars[0].value).toBeCloseTo(1.7, 12);
  });
});

describe('accuracyPicture', () => {
  const svg = accuracyPicture(THREE_RUNS);

  it('is an SVG file of its own, which defines every colour that it uses', () => {
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
    expect(svg).toContain('<title>Test accuracy: one rank 96.3 %, 4 ranks, synchronized 96.3 %');
    const used = new Set([...svg.matchAll(/var\((--[\w-]+)\)/g)].map(([, name]) => name));
    expect(used.size).toBeGreaterThanOrEqual(4);
    for (const name of used) expect(svg.split(`${name}: #`), name).toHaveLength(2);
  });

  it('is the same text for the same runs, so that a commit shows what changed', () => {
    expect(accuracyPicture(THREE_RUNS)).toBe(svg);
  });

  it('draws a run that was never tested without a bar', () => {
    expect(accuracyPicture([runOf('a', [1], { accuracies: [] })])).not.toMatch(/NaN|undefined/);
  });
});
