/** Counts what came of the worlds, and prints it. */

import Table from 'cli-table3';
import type { FaultKind } from './fault.js';
import type { Verdict } from './oracle.js';
import type { Plan } from './plan.js';

interface Row {
  worlds: number;
  unharmed: number;
  latencies: number[];
  violations: number;
}

export class Tally {
  /** Worlds with violations, or without a seed what none of them is to blame for. */
  readonly offenders: { readonly seed: number | null; readonly texts: readonly string[] }[] = [];
  readonly #rows = new Map<FaultKind, Row>();

  add({ seed, fault }: Plan, { violations, latencies, unharmed }: Verdict): void {
    const row = this.#rows.get(fault.kind) ?? {
      worlds: 0,
      unharmed: 0,
      latencies: [],
      violations: 0,
    };
    this.#rows.set(fault.kind, row);
    row.worlds++;
    row.unharmed += unharmed;
    row.latencies.push(...latencies);
    row.violations += violations.length;
    if (violations.length === 0) return;
    this.offenders.push({ seed, texts: violations.map((text) => `${fault.kind}: ${text}`) });
  }

  /** Something that no single world is to blame for. */
  blame(text: string): void {
    this.offenders.push({ seed: null, texts: [text] });
  }

  /** A line for each kind: times from the fault to a survivor's error are in milliseconds. */
  table(): string {
    const table = new Table({
      head: ['fault', 'worlds', 'failed', 'unharmed', 'median ms', 'max ms', 'violations'],
      style: { head: [], border: [] },
    });
    for (const [kind, row] of [...this.#rows].sort()) {
      const sorted = row.latencies.toSorted((a, b) => a - b);
      const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))]?.toFixed(1);
      table.push([
        kind,
        row.worlds,
        sorted.length,
        row.unharmed,
        at(0.5) ?? '',
        at(1) ?? '',
        row.violations,
      ]);
    }
    return table.toString();
  }
}
