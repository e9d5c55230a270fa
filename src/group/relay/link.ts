/** Links: they carry messages between a rank and its hub, in order and whole. */

import { show } from '../../core/show.js';

/** Events that the owner of a link hears. */
export interface LinkEvents {
  /** A message has come; anything but an ArrayBuffer is not from syncbn. */
  message(data: unknown): void;
  /** The other side is gone, or the link is. Called once, unless this side has closed it. */
  closed(why: string): void;
}

/** A link of any kind. Write your own for any channel that keeps order. */
export interface Link {
  /** Sends a message, whose memory may be transferred. */
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Called once, before anything is sent. */
  listen(events: LinkEvents): void;
  close(): void;
}

/** The part of an event that links need, of a message or of an end. */
export interface EventLike {
  readonly type: string;
  readonly data?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

/** The part of a MessagePort that links need: of browsers, Node, Deno and Bun. */
export interface PortLike {
  postMessage(message: unknown, transfer: ArrayBuffer[]): void;
  addEventListener(type: string, listener: (event: EventLike) => void): void;
  start?(): void;
  close(): void;
}

/** The part of a WebSocket that links need: of browsers and of the package `ws`. */
export interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  addEventListener(type: string, listener: (event: EventLike) => void): void;
  close(code?: number, reason?: string): void;
}

/** First word of a note that a port's other side is alive; the name of its lock follows. */
const ALIVE = 'syncbn: alive as long as this lock is held: ';
/**
 * Milliseconds for messages to come in after a sign that the other side has ended: locks and ports
 * are free at once, and overtake messages that were posted before.
 */
const LAST_MESSAGES_MS = 100;
/** Message of a side that closes. */
const GOODBYE = 'syncbn: closed';

function hasMethods(end: unknown, methods: readonly string[]): boolean {
  const given = Object(end) as Record<string, unknown>;
  return methods.every((method) => typeof given[method] === 'function');
}

export function isLink(end: unknown): end is Link {
  return hasMethods(end, ['listen', 'send', 'close']);
}

/** @throws TypeError for an end that lacks one of `methods` */
function checkEnd(end: object, methods: readonly string[], what: string, caller: string): void {
  if (hasMethods(end, methods)) return;
  throw new TypeError(`${caller}: expected ${what}, got ${show(end)}`);
}

/**
 * Makes a link over a MessagePort, or over a worker, whose other end is given to {@link portLink},
 * too. Not every port tells when its other side has ended; in secure pages and their workers a Web
 * Lock does.
 */
export function portLink(port: PortLike, caller = 'portLink'): Link {
  checkEnd(port, ['postMessage', 'addEventListener'], 'a MessagePort or a worker', caller);
  return new PortLink(port);
}

class PortLink implements Link {
  readonly #port: PortLike;
  /** Messages that wait for the lock: the other side must know of it before anything else. */
  #waiting: Uint8Array<ArrayBuffer>[] | null = null;
  #isClosed = false;
  #release: () => void = () => {};

  constructor(port: PortLike) {
    this.#port = port;
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    if (this.#isClosed) return;
    if (this.#waiting !== null) this.#waiting.push(message);
    else this.#port.postMessage(message.buffer, [message.buffer]);
  }

  listen({ message, closed }: LinkEvents): void {
    const end = (why: string) => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      this.#release();
      closed(why);
    };
    const hasEnded = () => {
      setTimeout(() => end('the other side has ended'), LAST_MESSAGES_MS);
    };
    this.#port.addEventListener('message', ({ data }) => {
      if (this.#isClosed) return;
      if (data === GOODBYE) end('the other side closed it');
      else if (typeof data === 'string' && data.startsWith(ALIVE)) watch(data, hasEnded);
      else message(data);
    });
    this.#port.addEventListener('messageerror', () => end('a message could not be read'));
    this.#port.addEventListener('close', hasEnded);
    this.#port.start?.();
    this.#holdLock();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#flush();
    this.#isClosed = true;
    this.#port.postMessage(GOODBYE, []);
    this.#release();
    // Posted messages still arrive.
    this.#port.close();
  }

  /** Holds a lock as long as this side lives, and tells the other side its name. */
  #holdLock(): void {
    const { locks } = globalThis.navigator ?? {};
    if (locks === undefined) return;
    const name = `syncbn link ${crypto.randomUUID()}`;
    this.#waiting = [];
    void locks.request(name, () => {
      if (this.#isClosed) return undefined;
      this.#port.postMessage(ALIVE + name, []);
      this.#flush();
      return new Promise<void>((resolve) => {
        this.#release = resolve;
      });
    });
  }

  #flush(): void {
    const messages = this.#waiting ?? [];
    this.#waiting = null;
    for (const message of messages) this.send(message);
  }
}

/** Calls `hasEnded` when the other side's lock comes free. */
function watch(note: string, hasEnded: () => void): void {
  const { locks } = globalThis.navigator ?? {};
  void locks?.request(note.slice(ALIVE.length), hasEnded);
}

const CONNECTING = 0;
const OPEN = 1;

/**
 * Makes a link over a WebSocket, of a browser, of Node, or of the package `ws` on a server. The
 * socket may still be connecting.
 */
export function webSocketLink(socket: SocketLike, caller = 'webSocketLink'): Link {
  checkEnd(socket, ['send', 'addEventListener', 'close'], 'a WebSocket', caller);
  return new SocketLink(socket);
}

class SocketLink implements Link {
  readonly #socket: SocketLike;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #isClosed = false;

  constructor(socket: SocketLike) {
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    const { readyState } = this.#socket;
    if (readyState === CONNECTING) this.#waiting.push(message);
    else if (readyState === OPEN) this.#socket.send(message);
  }

  listen({ message, closed }: LinkEvents): void {
    const end = (why: string) => {
      if (this.#isClosed) return;
      this.#isClosed = true;
      closed(why);
    };
    const socket = this.#socket;
    socket.addEventListener('open', () => {
      for (const early of this.#waiting.splice(0)) socket.send(early);
    });
    socket.addEventListener('message', ({ data }) => {
      if (!this.#isClosed) message(data);
    });
    // A close follows every error.
    socket.addEventListener('error', () => {});
    socket.addEventListener('close', ({ code, reason }) =>
      end(`its connection closed (${[code, reason].filter(Boolean).join(': ')})`),
    );
    if (socket.readyState > OPEN) end('its connection is closed');
  }

  close(): void {
    this.#isClosed = true;
    this.#socket.close(1000);
  }
}
