/** The page of results: a README.md with pictures, for a folder that the project keeps. */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Results } from '../results.js';
import { TITLES, VARIANT_PARTS } from '../variants/variants.js';
import { overCPicture } from './floors.js';
import { gradientPicture } from './gradients.js';
import { comparisonPicture, layerPicture } from './pictures.js';
import { toMarkdown } from './table.js';
import { tablesOf } from './tables.js';
import { variantPicture } from './variants.js';

/** Writes the page and its pictures into `folder`, in place of older ones. */
export function savePage(results: Results, folder: string): void {
  mkdirSync(folder, { recursive: true });
  const pictures = [
    { file: 'layers.svg', text: 'Layers over their limits', svg: layerPicture(results.layers) },
    {
      file: 'over-c.svg',
      text: 'Layers over C’s loops',
      svg: overCPicture(results.layers, results.floors),
    },
    {
      file: 'gradients.svg',
      text: 'Averages of gradients over copies',
      svg: gradientPicture(results.gradients),
    },
    {
      file: 'peers.svg',
      text: 'Times as fast as peers',
      svg: comparisonPicture(results.comparisons),
    },
    ...VARIANT_PARTS.map((part) => ({
      file: `${part}.svg`,
      text: TITLES[part],
      svg: variantPicture(results.variants, part),
    })),
  ];
  for (const { file, svg } of pictures) {
    if (svg === null) rmSync(join(folder, file), { force: true });
    else writeFileSync(join(folder, file), svg);
  }
  const shown = pictures.filter(({ svg }) => svg !== null);
  const links = shown.map(({ file, text }) => `![${text}](${file})\n`);
  writeFileSync(join(folder, 'README.md'), pageOf(results, links));
  console.error(`wrote ${join(folder, 'README.md')}`);
}

function pageOf(results: Results, links: readonly string[]): string {
  const { machine, command, notes } = results;
  const lines = [
    '# Results of the benchmark',
    '',
    `Made by \`${command}\` on ${machine.date}:`,
    '',
    `- ${machine.processor}, ${machine.cores} cores, ${machine.gibibytes} GiB of memory`,
    `- ${machine.system}, Node ${machine.node}`,
    ...notes.map((note) => `- ${note}`),
    '',
    'Ratios within one run mean something; absolute times drift on shared machines. Every result was ' +
      'checked against float64 before it was timed.',
    '',
  ];
  return [...lines, ...links, ...tablesOf(results).map(toMarkdown)].join('\n');
}
