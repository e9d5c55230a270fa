/** The network's reading of the paper. */

import { read } from './reader.js';
import type { Weights } from './weights.js';

/** Shows the probability of each digit, and the likeliest in words; null: nothing to read. */
export function showReading(image: Float32Array | null, weights: Weights | null): void {
  const verdict = document.getElementById('verdict')!;
  const odds = image !== null && weights !== null ? read(image, weights) : null;
  if (weights === null) verdict.textContent = 'Train first: an untrained network can read nothing.';
  else if (odds === null) verdict.textContent = 'Draw a digit: the trained network reads it.';
  else verdict.textContent = sentence(odds);
  document.getElementById('odds')!.replaceChildren(...(odds === null ? [] : [...odds].map(bar)));
}

function sentence(odds: Float32Array): string {
  const best = odds.indexOf(Math.max(...odds));
  return `This looks like a ${best} (${share(odds[best])}).`;
}

const share = (probability: number) => `${(100 * probability).toFixed(0)} %`;

function bar(probability: number, digit: number): HTMLElement {
  const item = document.createElement('li');
  const [name, line, number] = ['', 'bar', 'share'].map((className) => {
    const span = document.createElement('span');
    span.className = className;
    return span;
  });
  name.textContent = String(digit);
  line.style.width = `${100 * probability}%`;
  number.textContent = share(probability);
  item.append(name, line, number);
  return item;
}
