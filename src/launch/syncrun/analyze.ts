/** `syncrun --analyze FILES`: tells where each rank stood, from the records of the ranks. */

import { readFileSync } from 'node:fs';
import type { FlightRecord, RecordedCall } from '../../group/rounds/recorder.js';
import { escapeLine } from '../common/foreign-text.js';

/** @throws RangeError for a file that is not a record */
export function readRecord(path: string): FlightRecord {
  let record: FlightRecord;
  try {
    record = JSON.parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new RangeError(`--analyze: cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  if (record?.format !== 'syncbn-record-1' || !Array.isArray(record.calls)) {
    throw new RangeError(`--analyze: ${path} is not a record of syncbn`);
  }
  return record;
}

/** Returns lines about `records`, which are of one world. */
export function analyze(records: readonly FlightRecord[]): string {
  if (records.length === 0) throw new RangeError('--analyze needs the files of the records');
  const byRank = new Map(records.map((record) => [record.rank, record]));
  const size = Math.max(...records.map((record) => record.size));
  const ranks = Array.from({ length: size }, (_, rank) => rank);
  const lines = ranks.map((rank) => standing(rank, byRank.get(rank)));
  lines.push(...missing(ranks, byRank), ...differences(records));
  return lines.map((line) => `${escapeLine(line)}\n`).join('');
}

/** The last collective of a rank, and how far it came. */
function standing(rank: number, record: FlightRecord | undefined): string {
  if (record === undefined) {
    return `rank ${rank} left no record: it was killed, or busy with its own code`;
  }
  const why = ` (record: ${record.reason})`;
  const last = record.calls.at(-1);
  if (last === undefined) return `rank ${rank} has started no collective${why}`;
  const open = record.calls.find(isOpen) ?? (last.failed ? last : undefined);
  const seconds = (since: number) => `${((record.written - since) / 1000).toFixed(1)} s`;
  if (open === undefined) {
    const ago = seconds(last.ended);
    return `rank ${rank} was in no collective; its last, ${nameOf(last)}, ended ${ago} before${why}`;
  }
  const since = seconds(open.waiting || open.started);
  const all = open.arrived > 0 ? ', in which all members had come' : '';
  return `rank ${rank} stood in ${nameOf(open)} for ${since}${all}${why}`;
}

const isOpen = ({ ended }: RecordedCall) => ended === 0;

/** For each group, names the ranks that had not come to the collective that others stood in. */
function missing(ranks: readonly number[], records: Map<number, FlightRecord>): string[] {
  const lines: string[] = [];
  for (const [group, furthest] of furthestCalls(records)) {
    const late = ranks.filter((rank) => {
      const calls = records.get(rank)?.calls.filter((call) => call.group === group) ?? [];
      // A rank without a record, or without the group, may not be a member of it.
      return calls.length > 0 && Math.max(...calls.map(({ number }) => number)) < furthest.number;
    });
    if (late.length === 0 || (furthest.ended > 0 && !furthest.failed)) continue;
    lines.push(`rank ${late.join(', ')} had not come to ${nameOf(furthest)}`);
  }
  return lines;
}

function furthestCalls(records: Map<number, FlightRecord>): Map<string, RecordedCall> {
  const furthest = new Map<string, RecordedCall>();
  for (const { calls } of records.values()) {
    for (const call of calls) {
      const known = furthest.get(call.group);
      if (known === undefined || call.number > known.number) furthest.set(call.group, call);
    }
  }
  return furthest;
}

/** Finds the first collective of each group that ranks called differently. */
function differences(records: readonly FlightRecord[]): string[] {
  const seen = new Map<string, { rank: number; call: RecordedCall }>();
  const told = new Set<string>();
  const lines: string[] = [];
  for (const { rank, calls } of records) {
    for (const call of calls) {
      const place = `${call.number} ${call.group}`;
      const first = seen.get(place);
      if (first === undefined) seen.set(place, { rank, call });
      else if (contentOf(first.call) !== contentOf(call) && !told.has(call.group)) {
        told.add(call.group);
        lines.push(`rank ${first.rank} called ${nameOf(first.call)}, rank ${rank} ${nameOf(call)}`);
      }
    }
  }
  return lines;
}

/** The part of a call that ranks must agree on; gathers may differ in their counts. */
function contentOf({ kind, count, label }: RecordedCall): string {
  return `${kind} ${kind === 'allReduce' ? count : ''} ${label}`;
}

/** "allReduce #17 of SyncBatchNorm 'bn2' with 129 elements in group 'world'" */
function nameOf({ kind, number, label, count, group }: RecordedCall): string {
  const whose = label === '' ? '' : ` of ${label}`;
  const what = count === 0 ? '' : ` with ${count} elements`;
  return `${kind} #${number}${whose}${what} in group '${group}'`;
}
