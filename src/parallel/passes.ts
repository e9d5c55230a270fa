/** The passes of calls.ts. */

export { gradientPass } from './average.js';
export { broadcastPass } from './broadcast.js';
export { skipPass } from './skip-together.js';
