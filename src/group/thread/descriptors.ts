/**
 * What each member of a group is in, for all to compare. A descriptor lies beside the `arrived`
 * word of its member, one for each parity of steps, so that reading both is one cache line.
 */

import { MismatchError, RankFailedError } from '../../core/errors.js';
import { describeCall, encodeCall, hashLabel, isRaise } from '../fingerprint.js';
import type { Collective } from '../transport.js';
import { DESCRIPTOR, type GroupArea, LABEL_BYTES, SLOT_BYTES } from './area.js';
import { readText, writeText } from './failure-record.js';

export class Descriptors {
  readonly #area: GroupArea;
  readonly #member: number;
  /** Labels that this rank's two descriptors hold. */
  readonly #labels: [string | null, string | null] = [null, null];

  /** @param member this rank's place in the group */
  constructor(area: GroupArea, member: number) {
    this.#area = area;
    this.#member = member;
  }

  /** Writes this rank's: its collective number `number` is `call`. */
  write(call: Collective, number: number, step: number): void {
    const { words } = this.#area;
    const at = this.#area.descriptorWord(this.#member, step);
    words[at + DESCRIPTOR.code] = encodeCall(call);
    words[at + DESCRIPTOR.count] = call.input.length;
    words[at + DESCRIPTOR.call] = number;
    if (call.kind === 'raise') this.#writeRaised(call.message, step);
    if (this.#labels[step & 1] === call.label) return;
    this.#labels[step & 1] = call.label;
    words[at + DESCRIPTOR.labelHash] = hashLabel(call.label);
    const label = this.#area.labelWord(this.#member, step);
    words[at + DESCRIPTOR.labelBytes] = writeText(words, label, LABEL_BYTES, call.label);
  }

  /**
   * Compares those of all members, who have all arrived: all read the same, and throw the same.
   * @throws MismatchError where they differ, RankFailedError where one joined with an error
   */
  compare(step: number): void {
    const { words, ranks } = this.#area;
    const first = this.#area.descriptorWord(0, step);
    const code = words[first];
    const count = words[first + DESCRIPTOR.count];
    const hash = words[first + DESCRIPTOR.labelHash];
    let differs = isRaise(code) ? 0 : -1;
    for (let m = 1; m < ranks.length; m++) {
      const at = this.#area.descriptorWord(m, step);
      const same =
        words[at] === code &&
        words[at + DESCRIPTOR.count] === count &&
        words[at + DESCRIPTOR.labelHash] === hash;
      if (!same && differs < 0) differs = m;
    }
    if (differs < 0) return;
    const raised = ranks.findIndex((_, m) => isRaise(words[this.#area.descriptorWord(m, step)]));
    throw raised >= 0 ? this.#raised(raised, step) : this.#mismatch(differs, step);
  }

  /** The text of a `raise` goes where data would: its length, then UTF-8. */
  #writeRaised(message: string, step: number): void {
    const { words } = this.#area;
    const at = this.#area.slotByte(this.#member, step) / 4;
    words[at] = writeText(words, at + 1, SLOT_BYTES - 4, message);
  }

  #raised(member: number, step: number): RankFailedError {
    const { words, ranks } = this.#area;
    const at = this.#area.slotByte(member, step) / 4;
    const text = readText(words, at + 1, words[at]);
    return new RankFailedError(ranks[member], `rank ${ranks[member]} failed: ${text}`);
  }

  #mismatch(member: number, step: number): MismatchError {
    const { name, ranks } = this.#area;
    return new MismatchError(
      `ranks disagree in group '${name}': rank ${ranks[member]} is in ` +
        `${this.#describe(member, step)}, rank ${ranks[0]} in ${this.#describe(0, step)}`,
    );
  }

  /** What a member is in, in words. */
  #describe(member: number, step: number): string {
    const { words } = this.#area;
    const at = this.#area.descriptorWord(member, step);
    const labelAt = this.#area.labelWord(member, step);
    const label = readText(words, labelAt, words[at + DESCRIPTOR.labelBytes]);
    return describeCall(
      words[at],
      words[at + DESCRIPTOR.count],
      words[at + DESCRIPTOR.call],
      label,
    );
  }
}
