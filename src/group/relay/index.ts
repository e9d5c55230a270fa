/** `syncbn/relay`: worlds whose ranks share nothing but links to a hub; see docs/browser.md. */

export { RelayHub, type RelayHubOptions } from './hub.js';
export {
  type Link,
  type LinkEvents,
  type PortLike,
  portLink,
  type SocketLike,
  webSocketLink,
} from './link.js';
export { RelayWorld, type RelayWorldOptions, relayWorld } from './world.js';
