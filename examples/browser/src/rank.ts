/** Script of the workers, where they share memory. */

import { runRank } from 'syncbn/browser';
import type { RankSettings } from './protocol.js';
import { trainRank } from './train-rank.js';

runRank((settings: RankSettings) => trainRank(settings, true));
