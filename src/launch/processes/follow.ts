/** First module of a rank that `syncrun` starts as a process: the rank dies with `syncrun`. */

import { followLauncher, loadKoffi } from '../../group/mpi/index.js';

// Not left to init: a rank may be busy for a while before it calls it.
followLauncher(await loadKoffi());
