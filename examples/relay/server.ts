/**
 * The hub of a world whose ranks come over WebSockets: browsers, Node, Deno and Bun.
 *
 *     npx tsx examples/relay/server.ts --size 3 [--token secret] [--host 127.0.0.1] [--port 8119]
 *
 * Without a token one is made up and printed. Ranks that are not on this machine need another host
 * than the default, and a proxy with TLS before it (`wss:`) where others can listen in.
 */

import { randomUUID } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { RelayHub } from 'syncbn/relay';
import { WebSocketServer } from 'ws';

const { values } = parseArgs({
  options: {
    size: { type: 'string' },
    token: { type: 'string', default: randomUUID() },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8119' },
  },
});

const hub = new RelayHub({
  size: Number(values.size),
  token: values.token,
  onFailure: (_, why) => console.error(`the world has ended: ${why}`),
});
const server = new WebSocketServer({
  host: values.host,
  port: Number(values.port),
  maxPayload: RelayHub.longestMessage,
});
server.on('connection', (socket) => hub.attach(socket));
server.on('listening', () => {
  const { address, port } = server.address() as AddressInfo;
  console.log(`ws://${address}:${port} token ${values.token}`);
});
