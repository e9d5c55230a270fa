/** How hosts find the hub: node rank 0 listens at the master address, the others connect to it. */

import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { startTimer } from '../world/timer.js';
import { failure, LaunchError } from './errors.js';
import { type Session, shakeHands } from './handshake.js';
import { Hub } from './hub.js';
import { Link } from './link.js';
import type { Channel, Listener } from './messages.js';
import type { LaunchPlan } from './options.js';

/** Milliseconds that a stranger gets to prove itself, and between tries to reach the hub. */
const PROOF_MS = 10_000;
const RETRY_MS = 200;
/** Strangers that may be proving themselves at a time. */
const MAX_STRANGERS = 64;

type Meeting = Pick<LaunchPlan, 'nodeRank' | 'masterAddr'>;

/** Opens this host's channel to the hub; the hub itself, when this host has node rank 0. */
export async function openChannel(plan: LaunchPlan, listener: Listener): Promise<Channel> {
  if (plan.localWorkerNum === plan.workerNum) return alone(plan, listener);
  if (!(await mayBeFirst(plan))) return reach(plan, listener);
  try {
    return await host(plan, listener);
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    if (taken && plan.nodeRank < 0) return reach(plan, listener);
    const { message } = error as Error;
    throw new LaunchError(failure(`cannot listen at ${addressOf(plan)}: ${message}`));
  }
}

function alone(plan: LaunchPlan, listener: Listener): Channel {
  const hub = new Hub(plan.workerNum, plan.clusterTimeOut);
  return localChannel(hub, listener, () => hub.close());
}

/** The channel of the hub's own host: no network, but never within the sender's call. */
function localChannel(hub: Hub, listener: Listener, close: () => Promise<void>): Channel {
  let toHub: Listener | null = null;
  hub.add('the host with node rank 0', (hubListener) => {
    toHub = hubListener;
    return {
      send: (message) => queueMicrotask(() => listener.receive(message)),
      close: async () => {},
    };
  });
  return {
    send: (message) => queueMicrotask(() => toHub?.receive(message)),
    close,
  };
}

async function host(plan: LaunchPlan, listener: Listener): Promise<Channel> {
  const hub = new Hub(plan.workerNum, plan.clusterTimeOut);
  const server = createServer({ keepAlive: true }, (socket) => void admit(plan, hub, socket));
  server.maxConnections = plan.workerNum + MAX_STRANGERS;
  await listen(server, plan);
  const timer = startTimer(plan.clusterTimeOut, () => hub.expire());
  return localChannel(hub, listener, async () => {
    clearTimeout(timer);
    server.close();
    await hub.close();
  });
}

function listen(server: Server, { masterAddr, masterPort }: LaunchPlan): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: masterAddr, port: masterPort, ipv6Only: true }, resolve);
  });
}

async function admit(plan: LaunchPlan, hub: Hub, socket: Socket): Promise<void> {
  const name = nameOf(socket);
  try {
    const session = await shakeHands(socket, 'hub', plan.secret ?? '', PROOF_MS);
    hub.add(name, (listener) => new Link(session, 'hub', listener));
  } catch (error) {
    const why = (error as Error).message;
    hub.refuse(name, why);
    plan.onNote(`refused ${name}: ${why}`);
    socket.end();
    setTimeout(() => socket.destroy(), RETRY_MS).unref();
  }
}

/** Connects to the hub, again and again until the time is over, and joins it. */
async function reach(plan: LaunchPlan, listener: Listener): Promise<Channel> {
  const start = performance.now();
  for (;;) {
    try {
      return new Link(await greet(plan, await dial(plan)), 'host', listener);
    } catch (error) {
      if (plan.signal?.aborted) throw new LaunchError(failure('interrupted', 130));
      if (error instanceof LaunchError) throw error;
      const waited = (performance.now() - start) / 1000;
      if (plan.clusterTimeOut >= 0 && waited > plan.clusterTimeOut) {
        const why = (error as Error).message;
        const text = `no world at ${addressOf(plan)} within ${plan.clusterTimeOut} s: ${why}`;
        throw new LaunchError(failure(text));
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function greet(plan: LaunchPlan, socket: Socket): Promise<Session> {
  const interrupt = () => socket.destroy(new Error('interrupted'));
  plan.signal?.addEventListener('abort', interrupt);
  try {
    return await shakeHands(socket, 'host', plan.secret ?? '', PROOF_MS);
  } catch (error) {
    socket.destroy();
    // It answered, so trying again will not help.
    const why = (error as Error).message;
    throw new LaunchError(failure(`the host at ${addressOf(plan)} is not ours: ${why}`));
  } finally {
    plan.signal?.removeEventListener('abort', interrupt);
  }
}

function dial({ masterAddr, masterPort, signal }: LaunchPlan): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const interrupt = () => socket.destroy(new Error('interrupted'));
    signal?.addEventListener('abort', interrupt, { once: true });
    const socket = connect({ host: masterAddr, port: masterPort, keepAlive: true });
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')));
    socket.once('error', reject);
    socket.once('close', () => signal?.removeEventListener('abort', interrupt));
    socket.once('connect', () => {
      signal?.removeEventListener('abort', interrupt);
      socket.off('error', reject);
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

/** Whether this host has node rank 0, or will have it when nobody else has. */
export async function mayBeFirst({ nodeRank, masterAddr }: Meeting): Promise<boolean> {
  return nodeRank === 0 || (nodeRank < 0 && (await isLocal(masterAddr)));
}

async function isLocal(address: string): Promise<boolean> {
  const { lookup } = await import('node:dns/promises');
  const found = await lookup(address, { all: true });
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return found.some((each) => own.some((one) => one.address === each.address));
}

function nameOf({ remoteAddress, remotePort }: Socket): string {
  return `the host at ${remoteAddress} (port ${remotePort})`;
}

function addressOf({ masterAddr, masterPort }: LaunchPlan): string {
  return masterAddr.includes(':') ? `[${masterAddr}]:${masterPort}` : `${masterAddr}:${masterPort}`;
}
