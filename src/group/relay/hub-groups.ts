/** The groups of a relay world, as its hub knows them. */

import { KIND, type Opening } from './protocol.js';

/** Sends something of the group to one member; `from` is the member that it is about. */
export type SendToMember = (kind: number, from: number, body?: Uint8Array | string) => void;

/** Most groups of a world at a time. */
const MOST_GROUPS = 4096;

export class HubGroups {
  readonly #entries = new Map<string, Entry>();
  #count = 0;

  /**
   * Takes a member's seat in the group that `opening` names. A member's first group of that name
   * and ranks meets the first of the other members, its second their second, since groups may be
   * destroyed and made anew.
   * @returns null when there are too many groups
   */
  open({ name, ranks }: Opening, member: number, send: SendToMember): GroupSeat | null {
    const key = JSON.stringify([name, ranks]);
    const entry = this.#entries.get(key) ?? new Entry(ranks.length);
    const number = entry.opened[member];
    let group = entry.groups.get(number);
    if (group === undefined) {
      if (this.#count >= MOST_GROUPS) return null;
      this.#count++;
      group = new HubGroup(ranks.length, () => this.#remove(key, entry, number));
      entry.groups.set(number, group);
      this.#entries.set(key, entry);
    }
    entry.opened[member]++;
    return group.sit(member, send);
  }

  #remove(key: string, entry: Entry, number: number): void {
    this.#count--;
    entry.groups.delete(number);
    // No member lags behind any more: all may count from 0 again.
    if (entry.groups.size === 0) this.#entries.delete(key);
  }
}

/** Groups of one name and list of ranks. */
class Entry {
  /** Number of these groups that each member has opened. */
  readonly opened: number[];
  readonly groups = new Map<number, HubGroup>();

  constructor(members: number) {
    this.opened = new Array<number>(members).fill(0);
  }
}

/** One member's place in a group. */
export interface GroupSeat {
  readonly members: number;
  /** Passes a frame on to all other members. @returns false when the member is too far ahead */
  pass(frame: Uint8Array): boolean;
  /** Notes that the member takes no further part. */
  leave(): void;
  /** Ends the group for all members; the first reason stands. */
  break(why: string): void;
}

class HubGroup {
  readonly members: number;
  /** Function that reaches each member; null while it has not opened the group. */
  readonly #sends: (SendToMember | null)[];
  /** Messages for members that have not opened the group. */
  readonly #early: Parameters<SendToMember>[][];
  /** Frames that each member has sent. */
  readonly #sent: number[];
  readonly #onEmpty: () => void;
  #left = 0;
  #isBroken = false;

  constructor(members: number, onEmpty: () => void) {
    this.members = members;
    this.#sends = new Array<SendToMember | null>(members).fill(null);
    this.#early = Array.from({ length: members }, () => []);
    this.#sent = new Array<number>(members).fill(0);
    this.#onEmpty = onEmpty;
  }

  sit(member: number, send: SendToMember): GroupSeat {
    this.#sends[member] = send;
    for (const early of this.#early[member].splice(0)) send(...early);
    return {
      members: this.members,
      pass: (frame) => this.#pass(member, frame),
      leave: () => this.#leave(member),
      break: (why) => this.#break(member, why),
    };
  }

  /** A member sends its next frame once it has the frames of all others, so none is two ahead. */
  #pass(from: number, frame: Uint8Array): boolean {
    this.#sent[from]++;
    if (this.#sent.some((sent) => this.#sent[from] > sent + 1)) return false;
    this.#tell(from, KIND.frame, frame);
    return true;
  }

  #leave(member: number): void {
    this.#tell(member, KIND.leave);
    this.#left++;
    if (this.#left === this.members) this.#onEmpty();
  }

  #break(from: number, why: string): void {
    if (this.#isBroken) return;
    this.#isBroken = true;
    this.#tell(from, KIND.broken, why);
  }

  #tell(from: number, kind: number, body?: Uint8Array | string): void {
    for (let m = 0; m < this.members; m++) {
      if (m === from) continue;
      const send = this.#sends[m];
      if (send === null) this.#early[m].push([kind, from, body]);
      else send(kind, from, body);
    }
  }
}
