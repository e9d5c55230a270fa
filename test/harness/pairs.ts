/** Runs `task` for each of `items`, two at a time; the results are in the order of the items. */
export async function twoAtATime<A, B>(
  items: readonly A[],
  task: (item: A) => Promise<B>,
): Promise<B[]> {
  const results: B[] = [];
  const waiting = [...items.entries()];
  const work = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      results[next[0]] = await task(next[1]);
    }
  };
  await Promise.all([work(), work()]);
  return results;
}
