/** Style sheet of the report: light and dark, one column, wide and narrow drawings. */

/** Width of the page, in CSS pixels, from which the wide drawings are shown. */
export const WIDE_FROM = 760;

/** Colours on a light ground, as CSS properties. */
export const LIGHT = `
  --paper: #ffffff; --ink: #1c2330; --soft: #566072; --axis: #9aa3b2; --grid: #dfe3ea; --card: #f5f7fa;
  --run-0: #e69f00; --run-1: #0067b0; --run-2: #c2255c; --run-3: #2b8a3e; --run-4: #7048b6;`.trim();

export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  ${LIGHT}
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14181f; --ink: #e6e9ef; --soft: #a3adbd; --axis: #5d6878; --grid: #2d3541; --card: #1c222b;
    --run-0: #ffc145; --run-1: #6cbcff; --run-2: #ff7aa8; --run-3: #63d17c; --run-4: #b79cff;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.6 system-ui, sans-serif; }
main { max-width: 960px; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: clamp(1.5rem, 4vw, 1.9rem); line-height: 1.2; text-wrap: balance; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .25rem; }
p { margin: 0 0 1rem; }
section, figure { margin: 2.5rem 0 0; }
figcaption p { color: var(--soft); font-size: .9rem; margin: 0 0 .5rem; }
figure svg { display: block; width: 100%; height: auto; }
figure .wide { display: none; }
@media (min-width: ${WIDE_FROM}px) { figure .wide { display: block; } figure .narrow { display: none; } }
.legend { list-style: none; margin: 0 0 .5rem; padding: 0; display: flex; flex-wrap: wrap; gap: .2rem 1.5rem; font-size: .9rem; }
.swatch { display: inline-block; width: 1.9em; vertical-align: middle; margin-right: .5em; border-radius: 4px; height: 3px; }
.swatch.band { height: 8px; opacity: .5; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .5rem 0 .5rem 1rem; text-align: right; border-bottom: 1px solid var(--grid); }
thead th { vertical-align: bottom; }
tbody th { text-align: left; padding-left: 0; color: var(--soft); font-weight: 400; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; margin: .5rem 0 0; padding: 1rem 1.2rem; background: var(--card); border-radius: 8px; font-size: .9rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
@media print { figure { break-inside: avoid; } }
`;
