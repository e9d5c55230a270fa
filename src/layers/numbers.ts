/**
 * Numbers of the layers without a name, for each kind and width in the order of creation: their
 * collectives carry them, so that ranks which call two such layers in another order find out.
 */

const made = new Map<string, number>();

/** The number of the next layer called `label`, from 1. */
export function nextNumber(label: string): number {
  const number = (made.get(label) ?? 0) + 1;
  made.set(label, number);
  return number;
}

/** Begins again; for ranks that live longer than one program. */
export function forgetNumbers(): void {
  made.clear();
}
