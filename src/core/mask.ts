/** Masks: which values of a batch count, for all channels alike. */

export interface Mask {
  /** For each sample, and each position in it: 255, or 0 where its values do not count. */
  readonly places: Uint8Array;
  /** Places that count: values per channel. */
  readonly count: number;
  /** Whether y and dx are 0 where nothing counts, whatever dy is there. */
  readonly zero: boolean;
}

/** @param values one for each sample and position; 0 where nothing counts. They are copied. */
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
