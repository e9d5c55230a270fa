/** Loss and metrics of an epoch over all ranks, weighed by their samples. */

import type { Scalar } from '@tensorflow/tfjs-core';
import type { ProcessGroup } from '../../../group/process-group.js';
import { sumOverGroup } from '../peers.js';

/** Logs as callbacks get them: numbers, or scalars that nobody has read yet. */
export type EpochLogs = Record<string, number | Scalar | undefined>;

/** Sums over the steps of an epoch; bitwise the same on all ranks. */
export class EpochTotals {
  #samples = 0;
  #sums: number[] = [];

  /** Adds a step's means over `samples` samples. */
  add(samples: number, means: readonly number[]): void {
    this.#samples += samples;
    means.forEach((mean, i) => {
      this.#sums[i] = (this.#sums[i] ?? 0) + mean * samples;
    });
  }

  /** The means by label; nothing before the first step. */
  means(labels: readonly string[]): Record<string, number> {
    if (this.#samples === 0) return {};
    return Object.fromEntries(labels.map((label, i) => [label, this.#sums[i] / this.#samples]));
  }
}

/** Takes a log's number out, and frees its scalar. */
function take(logs: EpochLogs, label: string): number | null {
  const value = logs[label];
  delete logs[label];
  if (value === undefined || typeof value === 'number') return value ?? null;
  const [number] = value.dataSync();
  value.dispose();
  return number;
}

/**
 * Puts the group's means in place of this rank's, in the order in which TensorFlow.js writes
 * them: validation first.
 * @param validation labels of the validation; empty without validation
 * @param samples that this rank has validated
 */
export function writeGroupLogs(
  logs: EpochLogs,
  trained: Record<string, number>,
  validation: readonly string[],
  samples: number,
  group: ProcessGroup,
): void {
  for (const label of Object.keys(trained)) take(logs, label);
  const own = validation.map((label) => take(logs, label));
  if (validation.length > 0) {
    const counted = own.every((value) => value !== null) ? samples : 0;
    const sums = own.map((value) => (counted === 0 ? 0 : (value as number) * counted));
    const label = `distribute: ${validation.join()}`;
    const totals = sumOverGroup(group, [...sums, counted], label);
    const total = totals[validation.length];
    validation.forEach((name, i) => {
      if (total > 0) logs[name] = totals[i] / total;
    });
  }
  Object.assign(logs, trained);
}
