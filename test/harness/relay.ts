/** Relay worlds whose ranks all run on the test's own thread. */

import { MessageChannel } from 'node:worker_threads';
import { afterEach } from 'vitest';
import { ProcessGroup } from '../../src/group/process-group.js';
import {
  type Link,
  type LinkEvents,
  type PortLike,
  portLink,
  RelayHub,
  type RelayHubOptions,
  type RelayWorld,
  type RelayWorldOptions,
  relayWorld,
} from '../../src/group/relay/index.js';

/** Both ends of a new channel. */
export function channel(): [PortLike, PortLike] {
  const { port1, port2 } = new MessageChannel();
  return [port1 as unknown as PortLike, port2 as unknown as PortLike];
}

/** A hub, and ranks that have joined it. */
export class Relay {
  readonly hub: RelayHub;
  readonly worlds: RelayWorld[] = [];
  /** The ranks' ends of their channels. */
  readonly ports: PortLike[] = [];

  private constructor(options: RelayHubOptions) {
    this.hub = new RelayHub(options);
  }

  static async start(
    size: number,
    options: Partial<RelayHubOptions & RelayWorldOptions> = {},
  ): Promise<Relay> {
    const { token = 'secret', timeout = 5, onFailure } = options;
    const relay = new Relay({ size, token, ...(onFailure && { onFailure }) });
    for (let rank = 0; rank < size; rank++) {
      const [own, far] = channel();
      relay.hub.attach(far);
      relay.ports.push(own);
      relay.worlds.push(await relayWorld({ rank, size, token, timeout, link: portLink(own) }));
    }
    return relay;
  }

  /** The group `name` as each of its members sees it; `ranks` defaults to all. */
  groupOf(name: string, ranks = this.worlds.map(({ rank }) => rank)): ProcessGroup[] {
    return ranks.map((rank, member) => this.memberOf(name, ranks, member, this.worlds[rank]));
  }

  memberOf(name: string, ranks: readonly number[], member: number, world: RelayWorld) {
    return new ProcessGroup(name, ranks, member, world.connect(name, ranks), world.timeout);
  }

  close(): void {
    for (const world of this.worlds) world.release();
    this.hub.close();
  }
}

/** {@link Relay.start} for a test file: the relays end with the test that has started them. */
export function relayStarter(): typeof Relay.start {
  const relays: Relay[] = [];
  afterEach(() => {
    for (const relay of relays.splice(0)) relay.close();
  });
  return async (...given) => {
    const relay = await Relay.start(...given);
    relays.push(relay);
    return relay;
  };
}

/** A link whose other end is the test. */
export class TestLink implements Link {
  readonly sent: Uint8Array<ArrayBuffer>[] = [];
  isClosed = false;
  #events: LinkEvents | null = null;

  send(message: Uint8Array<ArrayBuffer>): void {
    this.sent.push(message);
  }

  listen(events: LinkEvents): void {
    this.#events = events;
  }

  close(): void {
    this.isClosed = true;
  }

  /** The other side says `data`. */
  say(data: unknown): void {
    this.#events?.message(data);
  }

  /** The other side is gone. */
  end(why: string): void {
    this.#events?.closed(why);
  }
}
