import { readFileSync } from 'node:fs';
import { type DType, Tensor } from 'syncbn';
import { describe, expect, it } from 'vitest';

// Made by test/golden/numpy_print.py.
const golden = JSON.parse(
  readFileSync(new URL('../golden/numpy_print.json', import.meta.url), 'utf8'),
) as {
  rows: { dtype: DType; shape: number[]; values: (number | string)[]; text: string }[];
};

const SPECIAL: Record<string, number> = {
  nan: Number.NaN,
  inf: Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
};

describe('Tensor.toString', () => {
  it.each(golden.rows)('prints $dtype of shape $shape as NumPy does', (row) => {
    const values = row.values.map((value) => (typeof value === 'string' ? SPECIAL[value] : value));
    expect(Tensor.from(values, row.shape, row.dtype).toString()).toBe(row.text);
  });
});
