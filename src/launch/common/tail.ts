/** The end of a rank's output, which is shown when the rank fails. */

/** Bytes, or characters, that are read. */
export const TAIL_LENGTH = 8192;
const TAIL_LINES = 20;

/** The last lines of `text`. */
export function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-TAIL_LINES).join('\n');
}
