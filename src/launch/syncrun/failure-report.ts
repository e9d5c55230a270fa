/** Report of a world that failed, on standard error: each error once, with its ranks. */

/** Something that a rank threw, as Node prints it. */
export interface Thrown {
  readonly rank: number;
  readonly text: string;
  /** Set if it was thrown only because another rank had failed. */
  readonly because: boolean;
}

/** The log of the rank that failed first. */
export interface FailedLog {
  /** Its path, or words for it. */
  readonly path: string;
  readonly tail: string;
  /** Set if the console has shown its output. */
  readonly shown: boolean;
}

/** Errors besides the first that are shown; all of them are in the logs. */
const MAX_OTHERS = 3;

export function failureReport(
  text: string,
  first: number | null,
  thrown: readonly Thrown[],
  log: FailedLog | null,
): string {
  const groups = groupsOf(thrown, first);
  const own = groups.find(({ ranks }) => first !== null && ranks.includes(first));
  const lines = [`syncrun: ${text}\n`];
  // The console has the rank's output; the log has it together with the error.
  if (log !== null && !log.shown && log.tail !== '') {
    lines.push(quote(`the end of ${log.path}`, log.tail));
    if (own !== undefined && own.ranks.length > 1) {
      lines.push(`syncrun: the same was thrown by ${ranksOf(own.ranks)}\n`);
    }
  } else if (own !== undefined) lines.push(quoteGroup(own));
  const others = groups.filter((group) => group !== own);
  lines.push(...others.slice(0, MAX_OTHERS).map(quoteGroup));
  if (others.length > MAX_OTHERS) {
    lines.push(`syncrun: ${others.length - MAX_OTHERS} other errors are in the logs\n`);
  }
  return lines.join('');
}

interface Group {
  readonly text: string;
  readonly ranks: number[];
}

function groupsOf(thrown: readonly Thrown[], first: number | null): Group[] {
  const groups = new Map<string, Group>();
  for (const { rank, text, because } of thrown) {
    if (because && rank !== first) continue;
    const group = groups.get(text) ?? { text, ranks: [] };
    group.ranks.push(rank);
    groups.set(text, group);
  }
  return [...groups.values()];
}

function quoteGroup({ text, ranks }: Group): string {
  return quote(`thrown by ${ranksOf(ranks)}`, text);
}

function quote(title: string, text: string): string {
  return `syncrun: ${title}:\n${text.replaceAll(/^/gm, '  ')}\n`;
}

/** 'rank 3', or 'ranks 0, 2, 5'. */
function ranksOf(ranks: readonly number[]): string {
  const sorted = [...ranks].sort((a, b) => a - b);
  return sorted.length === 1 ? `rank ${sorted[0]}` : `ranks ${sorted.join(', ')}`;
}
