/** Finds the word that a user who mistyped probably meant. */

/** The entry of `words` with the fewest edits from `word`, or null when none is near. */
export function nearest(word: string, words: Iterable<string>): string | null {
  let best: string | null = null;
  // Two edits swap two letters. With more than a third of a long word wrong, or all of a short
  // word, it is another word.
  let fewest = Math.min(word.length, Math.max(2, Math.floor(word.length / 3)) + 1);
  for (const candidate of words) {
    const edits = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (edits < fewest) {
      best = candidate;
      fewest = edits;
    }
  }
  return best;
}

/** `; did you mean 'x'?`, or nothing when no word is near. */
export function suggestion(word: string, words: Iterable<string>): string {
  const found = nearest(word, words);
  return found === null ? '' : `; did you mean '${found}'?`;
}

/** Levenshtein's distance: letters to insert, delete or replace; one row of his table at a time. */
function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = row[j - 1] + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, replaced));
    }
    row = next;
  }
  return row[to.length];
}
