/**
 * Tensors as NumPy prints them with its defaults: the shortest digits that tell a value from its
 * neighbours, at most 8 after the point; columns aligned; exponents if the range needs them;
 * arrays of more than 1000 elements shortened to 3 at each end of each axis; lines of 75.
 */

import { allocate, type DType, type FloatArray, narrow, widen } from './dtype.js';
import { sizeOf } from './layout.js';

const PRECISION = 8;
const THRESHOLD = 1000;
const EDGE_ITEMS = 3;
const LINE_WIDTH = 75;
/** From here on exponents: 10 to the power of the digits that a type surely holds, at most 8. */
const EXPONENT_FROM = { float64: 1e8, float32: 1e6, float16: 1e3, bfloat16: 1e2 };

/** Text of `values`, which are elements of `dtype` in row-major order. */
export function formatTensor(values: FloatArray, shape: readonly number[], dtype: DType): string {
  if (shape.length === 0) return formatScalar(values[0], dtype);
  if (sizeOf(shape) === 0) return '[]';
  const edges = values.length > THRESHOLD ? EDGE_ITEMS : Number.POSITIVE_INFINITY;
  const shown: number[] = [];
  visitShown(shape, edges, 0, 0, (index) => shown.push(values[index]));
  const format = formatterFor(shown, dtype);
  return nested(shape, edges, 0, 0, ' ', LINE_WIDTH, (index) => format(values[index]));
}

function formatScalar(value: number, dtype: DType): string {
  const text = formatterFor([value], dtype)(value).trim();
  return text.endsWith('.') ? `${text}0` : text.replace('.e', 'e');
}

/** Indices along an axis of `length` that are shown, with -1 for the dots between the edges. */
function shownIndices(length: number, edges: number): number[] {
  if (length <= 2 * edges) return Array.from({ length }, (_, i) => i);
  const head = Array.from({ length: edges }, (_, i) => i);
  return [...head, -1, ...head.map((i) => length - edges + i)];
}

function visitShown(
  shape: readonly number[],
  edges: number,
  axis: number,
  base: number,
  visit: (index: number) => void,
): void {
  if (axis === shape.length) {
    visit(base);
    return;
  }
  for (const i of shownIndices(shape[axis], edges)) {
    if (i >= 0) visitShown(shape, edges, axis + 1, base * shape[axis] + i, visit);
  }
}

/** Puts brackets around the axis and all after it. `indent` stands before lines after the first. */
function nested(
  shape: readonly number[],
  edges: number,
  axis: number,
  base: number,
  indent: string,
  width: number,
  element: (index: number) => string,
): string {
  const indices = shownIndices(shape[axis], edges);
  const at = (i: number) => base * shape[axis] + i;
  if (axis === shape.length - 1) {
    return `[${fillLines(
      indices.map((i) => (i < 0 ? '...' : element(at(i)))),
      indent,
      width - 1,
    )}]`;
  }
  const parts = indices.map((i) =>
    i < 0 ? '...' : nested(shape, edges, axis + 1, at(i), `${indent} `, width - 1, element),
  );
  return `[${parts.join('\n'.repeat(shape.length - axis - 1) + indent)}]`;
}

/** Joins words by blanks, in lines of at most `width`. */
function fillLines(words: readonly string[], indent: string, width: number): string {
  let text = '';
  let line = indent;
  for (const word of words) {
    if (line.length + word.length > width && line.length > indent.length) {
      text += `${line.trimEnd()}\n`;
      line = indent;
    }
    line += `${word} `;
  }
  return (text + line.slice(0, -1)).slice(indent.length);
}

/** Makes a formatter that gives all `values` one width. */
function formatterFor(values: readonly number[], dtype: DType): (value: number) => string {
  const finite = values.filter(Number.isFinite);
  const magnitudes = finite.filter((value) => value !== 0).map(Math.abs);
  const largest = Math.max(...magnitudes, 0);
  const smallest = Math.min(...magnitudes, Number.POSITIVE_INFINITY);
  const scientific =
    magnitudes.length > 0 &&
    (largest >= EXPONENT_FROM[dtype] || smallest < 1e-4 || largest / smallest > 1000);
  return scientific
    ? scientificFormatter(values, finite, dtype)
    : positionalFormatter(values, finite, dtype);
}

function positionalFormatter(values: readonly number[], finite: readonly number[], dtype: DType) {
  const parts = finite.map((value) => positionalParts(value, dtype));
  const fraction = Math.max(0, ...parts.map(([, digits]) => digits.length));
  const whole = Math.max(0, ...parts.map(([digits]) => digits.length));
  const width = Math.max(whole + 1 + fraction, widestSpecial(values));
  return (value: number): string => {
    if (!Number.isFinite(value)) return special(value).padStart(width);
    const [integer, digits] = positionalParts(value, dtype);
    return `${integer}.${digits.padEnd(fraction)}`.padStart(width);
  };
}

/** Sign and integer digits, and the digits after the point. */
function positionalParts(value: number, dtype: DType): [string, string] {
  const shortest = expand(shortestDigits(value, dtype));
  const sign = Object.is(value, -0) ? '-' : '';
  const [integer, digits = ''] = (sign + shortest).split('.');
  if (digits.length <= PRECISION) return [integer, digits];
  const [rounded, cut] = (sign + halfEven(value, PRECISION, 'toFixed')).split('.');
  return [rounded, cut.replace(/0+$/, '')];
}

function scientificFormatter(values: readonly number[], finite: readonly number[], dtype: DType) {
  const fraction = Math.max(0, ...finite.map((value) => mantissaDigits(value, dtype)));
  const rounded = (value: number) => halfEven(value, fraction, 'toExponential').split(/e(?=[+-])/);
  const exponentWidth = Math.max(2, ...finite.map((value) => rounded(value)[1].length - 1));
  const format = (value: number): string => {
    if (!Number.isFinite(value)) return special(value);
    const [mantissa, exponent] = rounded(value);
    const sign = Object.is(value, -0) ? '-' : '';
    const point = fraction === 0 ? '.' : '';
    return `${sign}${mantissa}${point}e${exponent[0]}${exponent.slice(1).padStart(exponentWidth, '0')}`;
  };
  const width = Math.max(...values.map((value) => format(value).length));
  return (value: number): string => format(value).padStart(width);
}

/** Writes `value` with `digits` after the point; ties go to the even digit, unlike JavaScript's. */
function halfEven(value: number, digits: number, method: 'toFixed' | 'toExponential'): string {
  const [exact, exponent = ''] = value[method](Math.min(100, digits + 40)).split('e');
  const cut = exact.indexOf('.') + 1 + digits;
  const isTie = /^50*$/.test(exact.slice(cut));
  const lastDigit = exact.slice(0, cut).replace('.', '').at(-1);
  if (!isTie || Number(lastDigit) % 2 !== 0) return value[method](digits);
  return exact.slice(0, cut).replace(/\.$/, '') + (exponent && `e${exponent}`);
}

/** Digits after the point of the shortest mantissa, at most PRECISION. */
function mantissaDigits(value: number, dtype: DType): number {
  const [mantissa] = Number(shortestDigits(value, dtype)).toExponential().split('e');
  const digits = mantissa.split('.')[1] ?? '';
  return Math.min(PRECISION, digits.length);
}

/** Finds the shortest decimal that rounds to `value` in `dtype`. */
function shortestDigits(value: number, dtype: DType): string {
  if (dtype === 'float64') return String(value);
  for (let precision = 1; precision < 9; precision++) {
    const text = value.toPrecision(precision);
    if (roundTo(Number(text), dtype) === value) return text;
  }
  return value.toPrecision(9);
}

function roundTo(value: number, dtype: DType): number {
  if (dtype === 'float32') return Math.fround(value);
  const storage = allocate(dtype, 1);
  narrow([value], storage, dtype);
  return widen(storage, dtype)[0];
}

/** Writes a decimal without exponent and trailing zeros. */
function expand(text: string): string {
  const value = Number(text);
  const plain = text.includes('e') ? value.toFixed(Math.max(0, 20 - exponentOf(value))) : text;
  return plain.includes('.') ? plain.replace(/\.?0+$/, '') : plain;
}

function exponentOf(value: number): number {
  return value === 0 ? 0 : Math.max(0, Math.floor(Math.log10(Math.abs(value))));
}

function special(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  return value > 0 ? 'inf' : '-inf';
}

function widestSpecial(values: readonly number[]): number {
  const specials = values.filter((value) => !Number.isFinite(value));
  return Math.max(0, ...specials.map((value) => special(value).length));
}
