/**
 * The launcher's end of PMI-1, the protocol of lines in which MPICH's ranks find one another: they
 * put keys, meet at a barrier, and get the keys of the other ranks. Three further commands are our own.
 */

import type { Duplex } from 'node:stream';
import { failureStatus } from '../world/signals.js';

/** The launcher, as its ranks see it. */
export interface PmiHost {
  /** Ranks in all. */
  readonly size: number;
  put(key: string, value: string): void;
  /** @returns undefined for an unknown key */
  get(key: string): string | undefined;
  /** The rank has entered the barrier; {@link PmiSession.release} lets it go on. */
  barrier(rank: number): void;
  /** The rank enters MPI_Init, or has come out of it. */
  initializing(rank: number, isInside: boolean): void;
  /** The rank calls MPI_Abort. */
  abort(rank: number, exitCode: number): void;
  /** The rank ends because of an error. `because`: only because another rank failed. */
  thrown(rank: number, text: string, because: boolean): void;
  /** The rank sent a line that is not PMI. */
  garbled(rank: number, line: string): void;
}

const KVS = 'syncbn';
/** Limits of PMI-1, in characters. */
const MAX_KEY = 64;
const MAX_VALUE = 1024;
/** Keys that a rank may put: MPICH needs some ten. */
const MAX_KEYS = 4096;
/** Longest line: an error, in base64. */
const MAX_LINE = 1 << 17;

type Words = ReadonlyMap<string, string>;
type Command = (words: Words, line: string) => void;

export class PmiSession {
  readonly #rank: number;
  readonly #stream: Duplex;
  readonly #host: PmiHost;
  readonly #commands: ReadonlyMap<string, Command>;
  #rest = '';
  #keys = 0;
  #garbled = false;

  constructor(rank: number, stream: Duplex, host: PmiHost) {
    this.#rank = rank;
    this.#stream = stream;
    this.#host = host;
    const answer = (text: string) => () => this.#answer(text);
    this.#commands = new Map<string, Command>([
      ['init', answer('response_to_init pmi_version=1 pmi_subversion=1 rc=0')],
      ['get_maxes', answer(`maxes kvsname_max=256 keylen_max=${MAX_KEY} vallen_max=${MAX_VALUE}`)],
      ['get_appnum', answer('appnum appnum=0')],
      ['get_my_kvsname', answer(`my_kvsname kvsname=${KVS}`)],
      ['get_universe_size', answer(`universe_size size=${host.size}`)],
      ['put', (words, line) => this.#put(words, line)],
      ['get', (words) => this.#get(words)],
      ['barrier_in', () => host.barrier(rank)],
      ['finalize', answer('finalize_ack')],
      ['abort', (words) => host.abort(rank, failureStatus(Number(words.get('exitcode'))))],
      ['syncbn_thrown', (words) => this.#thrown(words)],
      ['syncbn_init', () => host.initializing(rank, true)],
      ['syncbn_ready', () => host.initializing(rank, false)],
    ]);
    stream.setEncoding('utf8');
    stream.on('data', (text) => this.#take(String(text)));
    // A rank may die with lines unread; its exit code then judges it.
    stream.on('error', () => {});
  }

  /** Ends the barrier that the rank is in. */
  release(): void {
    this.#answer('barrier_out rc=0');
  }

  #answer(text: string): void {
    if (this.#stream.writable) this.#stream.write(`cmd=${text}\n`);
  }

  #take(text: string): void {
    if (this.#garbled) return;
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#obey(line);
    if (this.#rest.length > MAX_LINE) this.#refuse(this.#rest);
  }

  #obey(line: string): void {
    if (this.#garbled) return;
    const words = wordsOf(line);
    const command = this.#commands.get(words.get('cmd') ?? '');
    if (command === undefined) this.#refuse(line);
    else command(words, line);
  }

  /** One complaint is enough: the rank ends. */
  #refuse(line: string): void {
    this.#garbled = true;
    this.#host.garbled(this.#rank, line.slice(0, 80));
  }

  #put(words: Words, line: string): void {
    const key = words.get('key') ?? '';
    const value = words.get('value') ?? '';
    this.#keys++;
    const allowed = key !== '' && key.length <= MAX_KEY && value.length <= MAX_VALUE;
    if (!allowed || this.#keys > MAX_KEYS) {
      this.#refuse(line);
      return;
    }
    this.#host.put(key, value);
    this.#answer('put_result rc=0 msg=success');
  }

  #get(words: Words): void {
    const value = this.#host.get(words.get('key') ?? '');
    if (value === undefined) this.#answer('get_result rc=-1 msg=no_such_key value=unknown');
    else this.#answer(`get_result rc=0 msg=success value=${value}`);
  }

  #thrown(words: Words): void {
    const text = Buffer.from(words.get('value') ?? '', 'base64').toString();
    this.#host.thrown(this.#rank, text, words.get('because') === '1');
    this.#answer('syncbn_thrown_ack');
  }
}

/** "cmd=put key=a value=b c" as a map; a value is the rest of its line. */
function wordsOf(line: string): Words {
  const words = new Map<string, string>();
  const [head, value] = split(line, ' value=');
  if (value !== null) words.set('value', value);
  for (const word of head.split(' ')) {
    const [name, text] = split(word, '=');
    if (text !== null) words.set(name, text);
  }
  return words;
}

function split(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + separator.length)];
}
