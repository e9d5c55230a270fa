/** Hosts find the hub: node rank 0 listens at the master address, other hosts connect to it. */

import { lookup } from 'node:dns/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { startTimer } from '../../core/timer.js';
import { failure, LaunchError } from './errors.js';
import { type Session, shakeHands, stretch } from './handshake.js';
import { Hub } from './hub.js';
import { Link } from './link.js';
import type { Channel, Listener } from './messages.js';
import type { LaunchPlan } from './options.js';

/** Milliseconds for a stranger to prove itself, and between tries to reach the hub. */
const PROOF_MS = 10_000;
const RETRY_MS = 200;
/** Strangers that may be proving themselves at a time. */
const MAX_STRANGERS = 64;

type Meeting = Pick<LaunchPlan, 'nodeRank' | 'masterAddr'>;

/** A launch plan and the key that its secret is stretched to. */
interface Party {
  readonly plan: LaunchPlan;
  readonly key: Buffer;
}

/** Opens this host's channel to the hub, or the hub itself, if this host has node rank 0. */
export async function openChannel(plan: LaunchPlan, listener: Listener): Promise<Channel> {
  if (plan.localWorkerNum === plan.workerNum) return alone(plan, listener);
  const party = { plan, key: await stretch(plan.secret ?? '') };
  // The first host's own name may resolve late, too.
  const first = () => lookup(plan.masterAddr).then(() => mayBeFirst(plan));
  if (plan.nodeRank > 0 || !(await untilItWorks(plan, first))) return reach(party, listener);
  try {
    return await host(party, listener);
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    if (taken && plan.nodeRank < 0) return reach(party, listener);
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

async function host({ plan, key }: Party, listener: Listener): Promise<Channel> {
  const hub = new Hub(plan.workerNum, plan.clusterTimeOut);
  const strangers = new Set<Socket>();
  const server = createServer({ keepAlive: true }, (socket) => {
    // The oldest is dropped: a host that knows the secret proves it as soon as it is connected.
    const [oldest] = strangers;
    if (strangers.size >= MAX_STRANGERS) oldest.destroy();
    strangers.add(socket);
    socket.once('close', () => strangers.delete(socket));
    void admit(plan, hub, socket, key).finally(() => strangers.delete(socket));
  });
  await listen(server, plan);
  const timer = startTimer(plan.clusterTimeOut, () => hub.expire());
  return localChannel(hub, listener, async () => {
    clearTimeout(timer);
    server.close();
    for (const stranger of strangers) stranger.destroy();
    await hub.close();
  });
}

function listen(server: Server, { masterAddr, masterPort }: LaunchPlan): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: masterAddr, port: masterPort, ipv6Only: true }, resolve);
  });
}

async function admit(plan: LaunchPlan, hub: Hub, socket: Socket, key: Buffer): Promise<void> {
  const name = nameOf(socket);
  try {
    const session = await shakeHands(socket, 'hub', key, PROOF_MS);
    hub.add(name, (listener) => new Link(session, 'hub', listener));
  } catch (error) {
    const why = (error as Error).message;
    hub.refuse(name, why);
    plan.onNote(`refused ${name}: ${why}`);
    socket.end();
    setTimeout(() => socket.destroy(), RETRY_MS).unref();
  }
}

/** Connects to the hub and joins it. */
async function reach({ plan, key }: Party, listener: Listener): Promise<Channel> {
  const session = await untilItWorks(plan, async () => greet(plan, await dial(plan), key));
  return new Link(session, 'host', listener);
}

/**
 * Tries repeatedly until the time is over: a name may resolve later, and the answer at the address
 * may come from a stranger who is gone soon. Each new reason is told.
 */
async function untilItWorks<T>(plan: LaunchPlan, attempt: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const told = new Set<string>();
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (plan.signal?.aborted) throw new LaunchError(failure('interrupted', 130));
      const why = (error as Error).message;
      const waited = (performance.now() - start) / 1000;
      if (plan.clusterTimeOut >= 0 && waited > plan.clusterTimeOut) {
        const reasons = [...told.add(why)].join('; ');
        const text = `no world at ${addressOf(plan)} within ${plan.clusterTimeOut} s: ${reasons}`;
        throw new LaunchError(failure(text));
      }
      // A host that is not up yet is the usual case.
      if (!told.has(why) && !/ECONNREFUSED/.test(why)) {
        plan.onNote(`no world at ${addressOf(plan)} yet, and trying again: ${why}`);
      }
      told.add(why);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function greet(plan: LaunchPlan, socket: Socket, key: Buffer): Promise<Session> {
  const interrupt = () => socket.destroy(new Error('interrupted'));
  plan.signal?.addEventListener('abort', interrupt);
  try {
    return await shakeHands(socket, 'host', key, PROOF_MS);
  } catch (error) {
    socket.destroy();
    throw error;
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

/**
 * True if this host has node rank 0, or will have it unless another host has it.
 * @throws Error when the address is a name that does not resolve
 */
export async function mayBeFirst({ nodeRank, masterAddr }: Meeting): Promise<boolean> {
  return nodeRank === 0 || (nodeRank < 0 && (await isLocal(masterAddr)));
}

async function isLocal(address: string): Promise<boolean> {
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
