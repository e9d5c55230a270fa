/** Masks: they select the values of a batch that count, for all channels alike. */

export interface Mask {
  /** For each sample, and each position in it: 255, or 0 if its values do not count. */
  readonly places: Uint8Array;
  /** Places that count: values per channel. */
  readonly count: number;
  /** If true, y and dx are 0 at values that do not count, for any dy. */
  readonly zero: boolean;
}

/** @param values one for each sample and position; 0 if it does not count. They are copied. */
export function maskOf(values: ArrayLike<number>, zero = false): Mask {
  const places = new Uint8Array(values.length);
  let count = 0;
  for (let i = 0; i < places.length; i++) {
    if (values[i] === 0) continue;
    places[i] = 255;
    count++;
  }
  return { places, count, zero };
}
