/**
 * For the checked mode: finds out if the ranks of a group hold the same tensors and options. That
 * takes one small gather of digests. If digests differ, the first item that differs is gathered and
 * named.
 */

import { digestOf, digestOfText } from '../core/digest.js';
import { MismatchError } from '../core/errors.js';
import { show, showText } from '../core/show.js';
import type { Pass } from './pass.js';
import type { ProcessGroup } from './process-group.js';
import type { Work } from './transport.js';

/** An array that all ranks should hold alike. */
export interface Shared {
  readonly name: string;
  readonly data: Float32Array | Float64Array | Uint16Array;
}

/** Words of 4 bytes in which a text travels; longer ones are cut. */
const TEXT_WORDS = 256;

export class Agreement implements Pass<void> {
  readonly result = undefined;
  readonly #group: ProcessGroup;
  readonly #label: string;
  readonly #options: string;
  readonly #tensors: readonly Shared[];
  #digests: Int32Array | null = null;
  /** Texts or values of the item that differs, gathered from all ranks. */
  #texts: Int32Array | null = null;
  #values: Float64Array | null = null;
  /** Place of the item that differs: 0 the options, then the tensors. */
  #item = -1;

  /**
   * @param label name of the owner in errors
   * @param options by name; their values are compared as text
   */
  constructor(
    group: ProcessGroup,
    label: string,
    options: Readonly<Record<string, unknown>>,
    tensors: readonly Shared[],
  ) {
    this.#group = group;
    this.#label = label;
    this.#options = Object.entries(options)
      .map(([name, value]) => `${name}\n${String(value)}`)
      .join('\n');
    this.#tensors = tensors;
  }

  /** @throws MismatchError on every rank, in the same words */
  step(): Work<unknown> | null {
    if (this.#digests === null) return this.#gatherDigests();
    if (this.#item < 0) {
      this.#item = this.#firstDifference(this.#digests);
      return this.#item < 0 ? null : this.#gatherItem(this.#item);
    }
    throw new MismatchError(
      `${this.#label}: ranks disagree, found by the checked mode: ${this.#describe()}`,
    );
  }

  get #call() {
    return { label: `${this.#label} (checked mode)` };
  }

  #gatherDigests(): Work<unknown> {
    const own = Int32Array.of(
      digestOfText(this.#options),
      ...this.#tensors.map(({ name, data }) => digestOfText(name) ^ digestOf(data)),
    );
    this.#digests = new Int32Array(own.length * this.#group.size);
    return this.#group.allGather(own, { out: this.#digests, ...this.#call });
  }

  /** Finds the first item that differs on some rank from the group's first rank; -1: none. */
  #firstDifference(digests: Int32Array): number {
    const items = this.#tensors.length + 1;
    for (let item = 0; item < items; item++) {
      for (let at = item + items; at < digests.length; at += items) {
        if (digests[at] !== digests[item]) return item;
      }
    }
    return -1;
  }

  #gatherItem(item: number): Work<unknown> {
    const { size } = this.#group;
    if (item === 0) {
      const own = new Int32Array(TEXT_WORDS);
      new TextEncoder().encodeInto(this.#options, new Uint8Array(own.buffer));
      this.#texts = new Int32Array(TEXT_WORDS * size);
      return this.#group.allGather(own, { out: this.#texts, ...this.#call });
    }
    const own = Float64Array.from(this.#tensors[item - 1].data);
    this.#values = new Float64Array(own.length * size);
    return this.#group.allGather(own, { out: this.#values, ...this.#call });
  }

  #describe(): string {
    return this.#item === 0 ? this.#describeOptions() : this.#describeTensor();
  }

  #describeOptions(): string {
    const lists = this.#group.ranks.map((_, m) => textAt(this.#texts!, m).split('\n'));
    const member = lists.findIndex((list) => list.join('\n') !== lists[0].join('\n'));
    if (member < 0) return 'their options';
    const [first, other] = [lists[0], lists[member]];
    // Names stand at even places, each before its value.
    const at = first.findIndex((word, i) => word !== other[i]) | 1;
    const [own, others] = [showText(first[at]), showText(other[at])];
    return this.#sides(`option ${first[at - 1]}`, own, others, member);
  }

  #describeTensor(): string {
    const { name, data } = this.#tensors[this.#item - 1];
    const values = this.#values!;
    for (let i = data.length; i < values.length; i++) {
      const element = i % data.length;
      if (Object.is(values[i], values[element])) continue;
      const member = Math.floor(i / data.length);
      const what = `${showText(name)}[${element}]`;
      return this.#sides(what, show(values[element]), show(values[i]), member);
    }
    return `the bits of ${name}`;
  }

  #sides(what: string, first: string, other: string, member: number): string {
    const { ranks } = this.#group;
    return `${what} is ${other} on rank ${ranks[member]}, ${first} on rank ${ranks[0]}`;
  }
}

function textAt(texts: Int32Array, member: number): string {
  const words = texts.slice(member * TEXT_WORDS, (member + 1) * TEXT_WORDS);
  return new TextDecoder().decode(words).replace(/\0+$/, '');
}
