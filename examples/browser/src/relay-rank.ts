/** Script of the workers on a page where they cannot share memory: they meet in the page's hub. */

import { init } from 'syncbn';
import { portLink, relayWorld } from 'syncbn/relay';
import type { RelayEnd, RelayStart } from './relay-launch.js';
import { trainRank } from './train-rank.js';

addEventListener('message', async ({ data }: MessageEvent<RelayStart>) => {
  const { rank, size, port, settings, timeout } = data;
  let end: RelayEnd = { kind: 'ended' };
  try {
    // One rank has nobody to meet, and may block.
    if (size === 1) await init();
    else {
      await init({ world: await relayWorld({ rank, size, link: portLink(port), timeout }) });
    }
    await trainRank(settings, size === 1);
  } catch (error) {
    end = { kind: 'failed', text: String(error) };
  }
  postMessage(end);
});
