/** The rank's side of a world of MPI processes: says who it is, and answers until it is over. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { findGroup, release } from '../../src/group/world.js';
import type { Player } from '../turns/protocol.js';
import { serveLines } from '../turns/serve.js';

/** @param version of the MPI library, with its name */
export async function serveMpi<T>(
  socketPath: string,
  player: Player<T>,
  version: string,
): Promise<void> {
  const { rank } = findGroup(null, 'bench');
  const socket = connect(socketPath);
  await once(socket, 'connect');
  // Ranks connect in any order.
  socket.write(`${JSON.stringify({ rank, version })}\n`);
  await serveLines<T>(player, socket);
  release();
  socket.destroy();
}
