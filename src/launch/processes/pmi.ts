/**
 * The launcher's end of PMI-1, the protocol of lines in which MPICH's ranks find one another: they
 * put keys, meet at a barrier, and get the keys of the others.
 */

import type { Duplex } from 'node:stream';

/** What a rank asks of its launcher. */
export interface PmiHost {
  /** Ranks in all. */
  readonly size: number;
  put(key: string, value: string): void;
  /** @returns undefined for an unknown key */
  get(key: string): string | undefined;
  /** The rank has entered the barrier; {@link PmiSession.release} lets it go on. */
  barrier(rank: number): void;
  /** The rank calls MPI_Abort. */
  abort(rank: number, exitCode: number): void;
  /** What the rank says is no PMI. */
  garbled(rank: number, line: string): void;
}

const KVS = 'syncbn';
/** Longest line of PMI-1: a key of 64 and a value of 1024 bytes, with room to spare. */
const MAX_LINE = 4096;

export class PmiSession {
  readonly #rank: number;
  readonly #stream: Duplex;
  readonly #host: PmiHost;
  #rest = '';

  constructor(rank: number, stream: Duplex, host: PmiHost) {
    this.#rank = rank;
    this.#stream = stream;
    this.#host = host;
    stream.setEncoding('utf8');
    stream.on('data', (text) => this.#take(String(text)));
    // A rank that dies with lines unread; its end is judged by its exit code.
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
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    if (this.#rest.length > MAX_LINE) this.#host.garbled(this.#rank, this.#rest.slice(0, 80));
    for (const line of lines) this.#obey(line);
  }

  #obey(line: string): void {
    const words = wordsOf(line);
    const answers: Record<string, () => void> = {
      init: () => this.#answer('response_to_init pmi_version=1 pmi_subversion=1 rc=0'),
      get_maxes: () => this.#answer('maxes kvsname_max=256 keylen_max=64 vallen_max=1024'),
      get_appnum: () => this.#answer('appnum appnum=0'),
      get_my_kvsname: () => this.#answer(`my_kvsname kvsname=${KVS}`),
      get_universe_size: () => this.#answer(`universe_size size=${this.#host.size}`),
      put: () => this.#put(words),
      get: () => this.#get(words),
      barrier_in: () => this.#host.barrier(this.#rank),
      finalize: () => this.#answer('finalize_ack'),
      abort: () => this.#host.abort(this.#rank, Number(words.get('exitcode')) || 1),
    };
    const answer = answers[words.get('cmd') ?? ''];
    if (answer === undefined) this.#host.garbled(this.#rank, line.slice(0, 80));
    else answer();
  }

  #put(words: ReadonlyMap<string, string>): void {
    this.#host.put(words.get('key') ?? '', words.get('value') ?? '');
    this.#answer('put_result rc=0 msg=success');
  }

  #get(words: ReadonlyMap<string, string>): void {
    const value = this.#host.get(words.get('key') ?? '');
    if (value === undefined) this.#answer('get_result rc=-1 msg=no_such_key value=unknown');
    else this.#answer(`get_result rc=0 msg=success value=${value}`);
  }
}

/** "cmd=put key=a value=b c" as a map; a value is the rest of its line. */
function wordsOf(line: string): Map<string, string> {
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
