/** What a hub lets in, and what it does with everything else. */

import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { portLink, RelayHub, relayWorld } from '../../src/group/relay/index.js';
import { encode, KIND, LONGEST_MESSAGE } from '../../src/group/relay/protocol.js';
import { channel, relayStarter, TestLink } from '../harness/relay.js';

const start = relayStarter();

describe('the way into a relay world', () => {
  const hubs: RelayHub[] = [];
  afterEach(() => {
    for (const hub of hubs.splice(0)) hub.close();
  });

  async function refusal(options: object): Promise<string> {
    const hub = new RelayHub({ size: 2, token: 'secret' });
    hubs.push(hub);
    const [own, far] = channel();
    hub.attach(far);
    try {
      const link = portLink(own);
      await relayWorld({ rank: 0, size: 2, token: 'secret', timeout: 5, link, ...options });
      return 'let in';
    } catch (error) {
      return `${(error as Error).name}: ${(error as Error).message}`;
    }
  }

  it('wants the token and the size of the world', async () => {
    expect(await refusal({})).toBe('let in');
    for (const token of ['', 'secreT', 'secret ']) {
      expect(await refusal({ token })).toBe(
        'Error: relayWorld: rank 0: the relay refused it: its token is not that of this world',
      );
    }
    expect(await refusal({ size: 3 })).toBe(
      'Error: relayWorld: rank 0: the relay refused it: the world has 2 ranks, not 3',
    );
  });

  it('lets each rank in once, and none after a failure', async () => {
    const relay = await start(2);
    const join = async (rank: number) => {
      const [own, far] = channel();
      relay.hub.attach(far);
      await relayWorld({ rank, size: 2, token: 'secret', timeout: 5, link: portLink(own) });
    };
    await expect(join(1)).rejects.toThrow('the relay refused it: rank 1 is taken');
    relay.worlds[0].fail('enough');
    await expect(join(0)).rejects.toThrow('the world has ended: rank 0 failed: enough');
    // Nobody is harmed by a rank that was refused.
    expect(relay.hub.failure).toBe('rank 0 failed: enough');
  });

  it('does not wait for ever', async () => {
    const link = new TestLink();
    await expect(relayWorld({ rank: 0, size: 2, timeout: 0.05, link })).rejects.toThrow(
      'relayWorld: no answer from the hub within 0.05 s',
    );
    expect(link.isClosed).toBe(true);
  });

  it('checks its arguments', async () => {
    const good = { rank: 0, size: 2, link: new TestLink() };
    const cases: [object, string][] = [
      [{ rank: 2 }, 'RangeError: relayWorld: rank must be 0 to 1, got 2'],
      [{ rank: 'a' }, "TypeError: relayWorld: rank must be an integer, got 'a'"],
      [{ size: 0 }, 'RangeError: relayWorld: size must be 1 or more, got 0'],
      [
        { link: {} },
        'TypeError: relayWorld: link must be a portLink or a webSocketLink, got Object',
      ],
      [{ token: 3 }, 'TypeError: relayWorld: token must be a string, got 3'],
      [{ timeout: 0 }, 'RangeError: relayWorld: timeout must be above 0 seconds, got 0'],
    ];
    for (const [options, text] of cases) {
      const error = await relayWorld({ ...good, ...options }).catch((reason) => reason);
      expect(`${error.name}: ${error.message}`).toBe(text);
    }
    expect(() => new RelayHub({ size: 0 })).toThrow(RangeError);
    expect(() => new RelayHub({ size: 1.5 })).toThrow(TypeError);
    expect(() => new RelayHub({ size: 1, token: 3 as never })).toThrow(TypeError);
  });
});

describe('a hub', () => {
  const hello = (more: object = {}) =>
    JSON.stringify({ rank: 0, size: 2, token: 'secret', ...more });

  /** Links that have said something to a hub; the last of them is returned. */
  function told(hub: RelayHub, ...messages: unknown[]): TestLink {
    const link = new TestLink();
    hub.attach(link);
    for (const message of messages) link.say(message);
    return link;
  }

  const bytes = (kind: number, body: Uint8Array | string = '', group = 1) =>
    encode(kind, group, 0, body).buffer;
  const enter = bytes(KIND.hello, hello());
  const open = bytes(KIND.open, JSON.stringify({ name: 'g', ranks: [0, 1] }));

  it.each<[string, unknown[], RegExp]>([
    ['text', ['hello'], /no message of a rank/],
    ['a message that is too long', [new ArrayBuffer(LONGEST_MESSAGE + 1)], /no message of a rank/],
    ['a message that is too short', [new ArrayBuffer(15)], /no message of a rank/],
    ['a message before its hello', [open], /no hello/],
    ['a hello that is not JSON', [bytes(KIND.hello, '{')], /token/],
    ['a rank that is not one', [bytes(KIND.hello, hello({ rank: 0.5 }))], /ranks are 0 to 1/],
    ['a second hello', [enter, enter], /in no group of that number|no message of kind/],
    ['a frame of no group', [enter, bytes(KIND.frame, new Uint8Array(32), 7)], /no group of that/],
    ['a short frame', [enter, open, bytes(KIND.frame, new Uint8Array(31))], /31 bytes is not of/],
    [
      'two frames at a time',
      [enter, open, bytes(KIND.frame, new Uint8Array(32)), bytes(KIND.frame, new Uint8Array(32))],
      /rounds that are not there yet/,
    ],
    ['a group that is open', [enter, open, open], /open already/],
    ['a group without ranks', [enter, bytes(KIND.open, '{"name":"g"}')], /that is no group/],
    [
      'a group that it is not in',
      [enter, bytes(KIND.open, '{"name":"g","ranks":[1]}')],
      /cannot have these ranks/,
    ],
    [
      'a group with a rank twice',
      [enter, bytes(KIND.open, '{"name":"g","ranks":[0,0]}')],
      /cannot have these ranks/,
    ],
    ['an unknown kind', [enter, open, bytes(99)], /no message of kind 99/],
  ])('closes a link that says %s', (_, messages, why) => {
    const hub = new RelayHub({ size: 2, token: 'secret' });
    const link = told(hub, ...messages);
    expect(link.isClosed).toBe(true);
    const last = new TextDecoder().decode(link.sent.at(-1)!.subarray(16));
    expect(last).toMatch(why);
  });

  it('refuses more groups than any world needs', () => {
    const hub = new RelayHub({ size: 2, token: 'secret' });
    const openings = Array.from({ length: 4097 }, (_, at) =>
      bytes(KIND.open, JSON.stringify({ name: `g${at}`, ranks: [0, 1] }), at),
    );
    const link = told(hub, enter, ...openings);
    expect(new TextDecoder().decode(link.sent.at(-1)!.subarray(16))).toMatch(/too many groups/);
  });

  it('lets a world train on while 10,000 malformed messages are thrown at it', async () => {
    const relay = await start(3);
    const groups = relay.groupOf('a');
    const noise = fc.sample(malformed(), { numRuns: 10_000, seed: 14 });
    let thrown = 0;
    for (let step = 0; step < 100; step++) {
      const works = groups.map((group) => group.allReduce(Float64Array.of(group.rank, step)));
      for (const message of noise.slice(step * 100, (step + 1) * 100)) {
        const link = told(relay.hub, message);
        if (link.isClosed) thrown++;
      }
      const sums = await Promise.all(works.map((work) => work.done()));
      expect(sums.map((sum) => [...sum])).toEqual(Array(3).fill([3, 3 * step]));
    }
    // Each of them has closed its link, and harmed nobody else's.
    expect(thrown).toBe(10_000);
    expect(relay.hub.failure).toBeNull();
  });

  /** Anything but a hello with the token: bytes at random, and messages with something amiss. */
  function malformed(): fc.Arbitrary<unknown> {
    const body = fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(encodeText));
    const words = fc.record({ kind: fc.integer(), group: fc.integer(), member: fc.integer() });
    const whole = fc
      .tuple(fc.oneof(words, fc.record({ kind: fc.integer({ min: 0, max: 10 }) })), body)
      .map(([head, rest]) => {
        const {
          kind,
          group = 0,
          member = 0,
        } = head as { kind: number } & Partial<Record<'group' | 'member', number>>;
        return encode(kind, group, member, rest).buffer;
      });
    const cut = fc
      .tuple(whole, fc.nat({ max: 40 }))
      .map(([message, length]) => message.slice(0, length));
    const wrong = fc
      .record({ rank: fc.anything(), size: fc.anything(), token: fc.string() })
      .map((given) =>
        bytes(
          KIND.hello,
          JSON.stringify(given, (_, v) => (typeof v === 'bigint' ? 0 : v)),
        ),
      );
    const junk = fc.oneof(
      fc.uint8Array().map(({ buffer }) => buffer),
      fc.string(),
      fc.constant(null),
    );
    return fc.oneof(whole, cut, wrong, junk);
  }

  const encodeText = (text: string) => new TextEncoder().encode(text);
});
